import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCommand, splitCommand } from '../../src/cli/parse.ts';
import { parseRemote } from '../../src/commands/arguments.ts';
import { COMMANDS, OTHER_NAMES } from '../../src/commands/index.ts';
import { type Command, UsageError, defineCommand } from '../../src/commands/command.ts';
import { startReport } from '../../src/report/report.ts';
import { sample } from './sample-command.ts';

const argsOf = (...argv: string[]) => parseCommand(sample, argv).args;
const globalsOf = (...argv: string[]) => parseCommand(sample, argv).globals;

function misuse(act: () => unknown): UsageError {
  try {
    act();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('no UsageError');
}

const send = defineCommand({
  name: 'send',
  summary: 'send',
  description: [],
  positionals: { remote: { required: true, joinPort: true, parse: parseRemote, describe: 'where to' } },
  options: { data: { type: 'string', describe: 'what' } },
  examples: [],
  run: async (_, context) => startReport(context.env.clock, 'nat-tool/send@1')('complete', {}),
  view: () => [],
  short: () => '',
  exitStatus: () => 0,
});

const lab = defineCommand({
  ...send,
  name: 'lab',
  positionals: { command: { array: true, commandLine: true, describe: 'what' } },
  options: { nat: { type: 'string', describe: 'which' } },
});

describe('options', () => {
  it('fills in defaults through the same parser', () => {
    expect(argsOf()).toEqual({
      server: [],
      family: undefined,
      port: undefined,
      source: undefined,
      timeout: 2000,
      count: 1,
      mode: undefined,
      udp: false,
      tag: [],
    });
  });

  it.each([
    [['-p', '12001'], { port: 12001 }],
    [['-p12001'], { port: 12001 }],
    [['-p=12001'], { port: 12001 }],
    [['--port', '12001'], { port: 12001 }],
    [['--port=12001'], { port: 12001 }],
    [['-p', '0'], { port: 0 }],
    [['-w', '.5'], { timeout: 500 }],
    [['-w0.5'], { timeout: 500 }],
    [['-s127.0.0.1'], { source: '127.0.0.1' }],
    [['-s', '2001:DB8:0::1'], { source: '2001:db8::1' }],
    [['-4'], { family: 4 }],
    [['-6'], { family: 6 }],
    [['-u4p', '7'], { udp: true, family: 4, port: 7 }],
    [['-4p7'], { family: 4, port: 7 }],
    [['-4u'], { family: 4, udp: true }],
    [['-u', '-u'], { udp: true }],
    [['-p', '1', '-p', '2'], { port: 2 }],
    [['--tag', 'a', '--tag=b'], { tag: ['a', 'b'] }],
    [['--mode', 'slow'], { mode: 'slow' }],
    [['-c', '2.5'], { count: 2.5 }],
  ])('reads %j', (argv, expected) => {
    expect(argsOf(...argv)).toMatchObject(expected);
  });

  it('keeps any text as it is, quotes and dashes included', () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), (text, attached) => {
        expect(argsOf(...(attached ? [`--tag=${text}`] : ['--tag', text]))).toMatchObject({ tag: [text], server: [] });
      }),
    );
  });

  it('counts and combines the global ones', () => {
    expect(globalsOf('-vv', '--json', '--no-color')).toMatchObject({ form: 'json', verbosity: 2, colour: false });
    expect(globalsOf('-q')).toMatchObject({ form: 'text', verbosity: -1, colour: undefined });
  });

  it.each([
    [['--prot', '1'], "unknown option '--prot'", "Did you mean '--port'?"],
    [['--jsno'], "unknown option '--jsno'", "Did you mean '--json'?"],
    [['--xyzzy'], "unknown option '--xyzzy'", undefined],
    [['-ux'], "unknown option '-x'", undefined],
    [['-p', '70000'], "--port: expected a port from 1 to 65535, or 0 for any, got '70000'", undefined],
    [['-p', ''], '--port: expected a port from 1 to 65535, or 0 for any, got nothing', undefined],
    [['-p'], '-p needs a value', undefined],
    [['-w', '-1'], "--timeout: expected seconds, such as 2 or 0.5, got '-1'", undefined],
    [['-w', '1e3'], "--timeout: expected seconds, such as 2 or 0.5, got '1e3'", undefined],
    [['-s', 'eth0'], "--source: expected an IPv4 or IPv6 address, got 'eth0'", undefined],
    [['--mode', 'fsat'], "--mode: expected one of fast, slow, got 'fsat'", "Did you mean 'fast'?"],
    [['-c', 'two'], "--count: expected a number, got 'two'", undefined],
    [['--json=yes'], '--json takes no value', undefined],
    [['-4', '-6'], '-4 and -6 exclude each other', undefined],
    [['--json', '--short'], '--json and --short exclude each other', undefined],
    [['--color', '--no-color'], '--color and --no-color exclude each other', undefined],
  ])('refuses %j', (argv, message, hint) => {
    expect(misuse(() => argsOf(...argv))).toMatchObject({ message, hint });
  });

  it('says so when a network option belongs to other commands', () => {
    expect(misuse(() => parseCommand(send, ['-p', '1', 'a:1']).args).message).toBe("'send' does not take -p");
    expect(misuse(() => parseCommand(send, ['--timeout=1', 'a:1']).args).message).toBe(
      "'send' does not take --timeout",
    );
  });

  it('gives help to those who ask, whatever else is wrong', () => {
    expect(parseCommand(send, ['--bogus', '-h']).globals.help).toBe(true);
  });
});

describe('positionals', () => {
  it.each([
    [['a.example', '3478'], [{ host: 'a.example', port: 3478 }]],
    [
      ['a.example', 'b.example', '19302'],
      [
        { host: 'a.example', port: undefined },
        { host: 'b.example', port: 19302 },
      ],
    ],
    [
      ['a.example:1', 'b.example:2'],
      [
        { host: 'a.example', port: 1 },
        { host: 'b.example', port: 2 },
      ],
    ],
    [['2001:db8::1', '7'], [{ host: '2001:db8::1', port: 7 }]],
    [['[2001:db8::1]', '7'], [{ host: '2001:db8::1', port: 7 }]],
    [['[2001:db8::1]:7'], [{ host: '2001:db8::1', port: 7 }]],
    [['2001:db8::1'], [{ host: '2001:db8::1', port: undefined }]],
  ])('reads hosts %j', (argv, expected) => {
    expect(argsOf(...argv)).toMatchObject({ server: expected });
  });

  it.each([
    [['a.example', '70000'], "port in server: expected a port from 1 to 65535, got '70000'"],
    [['a.example:x'], "port in server: expected a port from 1 to 65535, got 'x'"],
    [['300.1.2.3'], "server: expected host, host:port or [v6]:port, got '300.1.2.3'"],
    [['[::1'], "server: expected host, host:port or [v6]:port, got '[::1'"],
    [['a b'], "server: expected host, host:port or [v6]:port, got 'a b'"],
  ])('refuses %j', (argv, message) => {
    expect(misuse(() => argsOf(...argv)).message).toBe(message);
  });

  it('names a missing and an unexpected one', () => {
    expect(misuse(() => parseCommand(send, [])).message).toBe('missing argument: remote');
    expect(misuse(() => parseCommand(send, ['a:1', 'b'])).message).toBe("unexpected argument 'b'");
    expect(misuse(() => parseCommand(send, ['a'])).message).toBe(
      "remote: 'a' needs a port: write host:port or host port",
    );
    expect(misuse(() => parseCommand(send, ['a', 'http'])).message).toBe(
      "port of remote: expected a port from 1 to 65535, got 'http'",
    );
  });

  it('takes words after -- as they are', () => {
    expect(misuse(() => parseCommand(send, ['--', '-x'])).message).toBe(
      "remote: expected host, host:port or [v6]:port, got '-x'",
    );
  });

  it('leaves the words of another command alone', () => {
    expect(parseCommand(lab, ['--nat', 'symmetric', 'stun', '--json', '-p', '1', '--', 'x']).args).toEqual({
      nat: 'symmetric',
      command: ['stun', '--json', '-p', '1', '--', 'x'],
    });
    expect(parseCommand(lab, ['--json', 'stun']).globals.form).toBe('json');
    expect(misuse(() => parseCommand(lab, ['--nta', 'x', 'stun'])).hint).toBe("Did you mean '--nat'?");
  });
});

describe('splitCommand', () => {
  it('finds the first word that is no option', () => {
    expect(splitCommand(['-v', 'stun', '-q', 'x'])).toEqual({ before: ['-v'], name: 'stun', rest: ['-q', 'x'] });
    expect(splitCommand(['-V'])).toEqual({ before: ['-V'], name: undefined, rest: [] });
  });
});

describe('names that people try', () => {
  it.each(Object.entries(OTHER_NAMES))('%s is %s', async (other, meant) => {
    const { before, name, rest } = splitCommand(['-v', ...other.split(' '), '--json', 'x']);
    if (meant.startsWith('-'))
      expect({ before, name }).toEqual({ before: ['-v', meant, '--json', 'x'], name: undefined });
    else {
      expect({ before, name, rest }).toEqual({ before: ['-v'], name: meant, rest: ['--json', 'x'] });
      expect(Object.keys(COMMANDS)).toContain(meant);
    }
  });

  it('takes --server for the server to use wherever there is one to choose', async () => {
    for (const [name, words] of [
      ['detect', []],
      ['stun', []],
      ['public-ip', []],
      ['listen', []],
      ['punch', ['192.0.2.9', '9']],
      ['connect', []],
    ] as const) {
      const command = await COMMANDS[name]?.();
      const { args } = parseCommand(command as Command, ['--server', '192.0.2.1:5', ...words]);
      const { server, stun } = args as unknown as Record<'server' | 'stun', unknown>;
      expect([server, stun].flat(), name).toContainEqual({ host: '192.0.2.1', port: 5, secure: false });
    }
  });
});

describe('a value that may be left out', () => {
  it.each([
    [['--keepalive', '192.0.2.9', '9'], 10_000],
    [['--keepalive', '5', '192.0.2.9', '9'], 5_000],
    [['--keepalive=5', '192.0.2.9', '9'], 5_000],
    [['192.0.2.9', '9', '--keepalive', '-q'], 10_000],
    [['192.0.2.9', '9', '--keepalive'], 10_000],
    [['--keepalive', '--', '192.0.2.9', '9'], 10_000],
  ])('punch %j: every %i ms', async (words, keepalive) => {
    const command = (await COMMANDS['punch']?.()) as Command;
    expect(parseCommand(command, words).args).toMatchObject({ keepalive, remote: { host: '192.0.2.9', port: 9 } });
  });
});
