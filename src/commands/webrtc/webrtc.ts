import { NetError } from '../../net/env.ts';
import { scope } from '../../net/wait.ts';
import { checkPeer, type CheckResult } from '../../probe/webrtc/check.ts';
import { Conversation } from '../../probe/webrtc/conversation.ts';
import { measureChannel } from '../../probe/webrtc/measure.ts';
import { type Finding, finding } from '../../report/finding.ts';
import { type Report, startReport } from '../../report/report.ts';
import { type Context, defineCommand, UsageError } from '../command.ts';
import { showQr } from '../show-qr.ts';
import { showCamera } from './camera.ts';
import { type Ground, prepare } from './ground.ts';
import { Hall } from './hall.ts';
import { Reception } from './reception.ts';
import { readCertificates } from '../certificates.ts';
import { isOfPlace, nowhere } from './nowhere.ts';
import { type Args, options, positionals, urlOf } from './options.ts';
import { pageReport } from './page-report.ts';
import type { WebrtcData } from './report.ts';
import { type Concluded, conclude } from './conclude.ts';
import { CAUSE_WORDS, details, isWorking, view } from './view.ts';
import type { Visit } from './visit.ts';

/** A page that is loaded anew comes back so soon. */
const RELOAD_MS = 3_000;
/** For a page to show the report before its server goes. */
const SHOW_MS = 2_000;

async function run(args: Args, context: Context): Promise<Report<WebrtcData>> {
  const { env, signal } = context;
  if (args.code !== undefined) return (await import('./terminal.ts')).withTerminal(args, args.code, context);
  const close = startReport(env.clock, 'nat-tool/webrtc@1');
  let ground: Ground | undefined;
  let reception: Reception | undefined;
  let door: Door | undefined;
  const result: CheckResult = { cause: null, channel: null, whole: false };
  let visit: Visit | undefined;
  const done = (): Concluded =>
    conclude({
      peer: 'browser',
      stack: visit?.peer,
      facts: visit?.facts,
      sameHost: visit?.sameHost,
      url: door?.url,
      incapable: reception?.incapable,
      result,
      ground,
      args,
      env,
    });
  try {
    ground = await prepare(args, context);
    reception = new Reception({ env, args, ground, signal });
    try {
      door = await openDoor(args, reception, context);
    } catch (error) {
      if (args.server === undefined || signal.aborted || !isOfPlace(error)) throw error;
      reception.shut(error);
    }
    if (door) await invite(door.url, args, context);
    visit = await untilChecked(reception, args, result, context, (each) => (visit = each));
    if (!visit) result.cause = reception.incapable === undefined ? 'no-browser' : 'no-webrtc';
    const { data, findings } = done();
    if (!visit && reception.incapable === undefined && reception.closed)
      return close('failed', data, [nowhere(reception.closed, env)]);
    if (visit) await show(visit, data, findings, signal);
    if (visit && args.camera !== undefined && data.cause === null) {
      context.progress('');
      context.note('The camera, as soon as the browser gives it; Ctrl-C ends it.');
      const camera = await showCamera(visit, env.clock, args.camera, context, signal);
      const dark = camera.why === null ? [] : [finding('webrtc-no-camera', { why: camera.why })];
      // Whoever watches ends it: that is no interruption.
      return close('complete', { ...data, camera }, [...findings, ...dark]);
    }
    return close(visit || reception.incapable !== undefined ? 'complete' : 'failed', data, findings);
  } catch (error) {
    if (!signal.aborted) throw error;
    const { data, findings } = done();
    return close('partial', data, [...findings, finding('interrupted')]);
  } finally {
    context.progress('');
    visit?.tell('end', {});
    visit?.end();
    await door?.close();
    reception?.close();
    ground?.close();
  }
}

const bug = (error: unknown): never => {
  throw error;
};

/** What stands between the terminal and the page. */
interface Door {
  readonly url: string;
  close(): Promise<void>;
}

/** Here, or at a server that has a face for browsers. */
async function openDoor(args: Args, reception: Reception, context: Context): Promise<Door> {
  const { env, signal } = context;
  if ((args.cert === undefined) !== (args.key === undefined)) throw new UsageError('--cert and --key go together');
  if (args.server === undefined) {
    const identity =
      args.cert === undefined || args.key === undefined ? undefined : await identityOf(args.cert, args.key, context);
    try {
      return await Hall.open({ env, args, reception, identity, failed: bug });
    } catch (error) {
      if (!(error instanceof NetError && error.kind === 'tls')) throw error;
      throw new UsageError(`--cert, --key: ${error.message}`, 'PEM is expected: -----BEGIN CERTIFICATE-----.');
    }
  }
  if (args.listen !== undefined || args.cert !== undefined)
    throw new UsageError('--server and --listen or --cert exclude each other: the page stands at the server or here');
  const url = urlOf(args.server);
  const trusted = args.cafile === undefined ? undefined : await readCertificates(args.cafile, context);
  context.progress(`asking ${url.host} for a page`);
  const { WebDoor } = await import('./web-door.ts');
  return WebDoor.open({ env, url, reception, family: args.family, source: args.source, trusted, failed: bug }, signal);
}

async function identityOf(cert: string, key: string, { readFile }: Pick<Context, 'readFile'>) {
  const text = async (path: string): Promise<string> => new TextDecoder().decode(await readFile(path, 1 << 20));
  return { cert: await text(cert), key: await text(key) };
}

async function invite(url: string, args: Args, context: Context): Promise<void> {
  tellLink(url, args, context);
  if (args.qr) await showQr(url, context);
  if (args.open && !(await context.browse(url))) context.note('No browser could be started: open the link by hand.');
}

/** Without it nothing happens, so `--quiet` does not keep it back. */
function tellLink(url: string, args: Args, context: Context): void {
  const where =
    args.server !== undefined
      ? 'in the other browser, or send it to its user'
      : args.listen === undefined
        ? 'in a browser on this host'
        : 'in the browser';
  if (context.verbosity < 0) void context.io.stderr.write(`${url}\n`);
  else context.note(`Open this link ${where}; it is good for this run alone: `, url);
}

/** The last opening of the page; undefined where there was none. */
async function untilChecked(
  reception: Reception,
  args: Args,
  result: CheckResult,
  context: Context,
  began: (visit: Visit) => void,
): Promise<Visit | undefined> {
  const { env, signal, progress } = context;
  const { clock } = env;
  let last: Visit | undefined;
  let patience = args.timeout;
  for (;;) {
    if (!last) progress('waiting for the page to be opened');
    const visit = await reception.next(patience, signal, last);
    if (!visit) return last;
    began((last = visit));
    Object.assign(result, { cause: null, channel: null, whole: false });
    const bounds = scope(clock, signal);
    const onStep = (text: string): void => {
      progress(text);
      visit.tell('progress', { text });
    };
    visit.onReplaced = () => bounds.abort(new DOMException('the page was opened anew', 'AbortError'));
    try {
      await checkPeer(
        visit.peer,
        visit.facts,
        () => visit.channels[0],
        result,
        {
          clock,
          work: (channel, found, within) =>
            measureChannel(
              new Conversation(clock, channel, () => undefined),
              found,
              { clock, peer: visit.peer, throughput: !args.noThroughput, onStep },
              within,
            ),
          onStep,
          onLikely: (cause) => {
            progress(`probably: ${cause}; still trying`);
            visit.tell('likely', { text: `Probably: ${CAUSE_WORDS[cause]}. Still trying.` });
          },
        },
        bounds.signal,
      );
    } catch (error) {
      signal.throwIfAborted();
      if (!bounds.signal.aborted) throw error;
      visit.peer.close();
      continue;
    } finally {
      bounds.end();
    }
    if (result.cause !== 'browser-left') return visit;
    visit.peer.close();
    patience = RELOAD_MS;
  }
}

async function show(visit: Visit, data: WebrtcData, findings: readonly Finding[], signal: AbortSignal): Promise<void> {
  visit.tell('report', pageReport(data, findings));
  await visit.shown(SHOW_MS, signal);
}

export default defineCommand({
  name: 'webrtc',
  summary: 'tell whether WebRTC works with a browser, and why not',
  description: [
    'Serves a page for one browser, and connects to it by WebRTC: ICE, DTLS, SCTP, a data channel. Where that works it tells the path, the times, the round trips, what is lost each way and how much the channel carries. Where it does not it names the cause within seconds, and what helps, on the page too.',
    'The page is served on 127.0.0.1, for a browser on this host; --listen serves it to the local network, and --server has it at a nat-tool serve --web, for a browser anywhere. Its link holds a secret: only whoever has it gets in. The page shows the same report. With CODE the other side is another terminal, which runs the same line.',
  ],
  positionals,
  options,
  examples: [
    {
      command: 'nat-tool webrtc k7qf2-m9x4t-03bsd-v8hwd --server meet.example.net',
      explain: 'terminal to terminal: the same line on both hosts',
    },
    { command: 'nat-tool webrtc', explain: 'open the link that it prints in a browser on this host' },
    {
      command: 'nat-tool webrtc --listen 192.168.1.3 --stun stun.example.net',
      explain: 'for a phone in the same network',
    },
    {
      command: 'nat-tool webrtc --turn turn.example.net --relay-only',
      explain: 'whether the TURN server alone would do',
    },
  ],
  seeAlso: ['connect', 'detect', 'turn', 'serve'],
  exitMeanings: {
    0: 'a data channel stood, and was measured',
    1: 'WebRTC does not work between the two',
    3: 'nobody opened the page, or it was closed before the end',
  },
  run,
  view: ({ data }, _, { verbosity }) => [...view(data), ...(verbosity > 0 ? details(data) : [])],
  short: ({ data }) => data.cause ?? (isWorking(data) ? (data.selected.relayed ? 'relay' : 'direct') : 'unknown'),
  exitStatus: ({ data: { cause } }) =>
    cause === null ? 0 : cause === 'no-browser' || cause === 'browser-left' ? 3 : 1,
});
