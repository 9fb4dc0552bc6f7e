import { describe, expect, it } from 'vitest';
import { DEFAULT_SERVER, Lab } from '../../src/lab/topology.ts';
import { run } from '../cli/harness.ts';

async function detect(nat: string): Promise<string> {
  const second = { name: 'stun2.example.net', addresses: ['60.50.40.30'] };
  const lab = new Lab({ nat, patienceMs: 60_000, servers: [DEFAULT_SERVER, second] });
  return lab.run(async (env) => (await run(['detect', DEFAULT_SERVER.name, second.name, '--json'], { env })).stdout);
}

describe('nat-tool pair', () => {
  it.each([
    ['port-restricted-cone', 'full-cone', 'direct', 0],
    ['symmetric,ports=sequential:2', 'port-restricted-cone', 'predicted', 0],
    ['port-restricted-cone', 'symmetric,ports=random', 'birthday', 0],
    ['symmetric,ports=random', 'symmetric,ports=random', 'relay', 1],
    ['blocked', 'full-cone', 'relay', 1],
  ] as const)('%s and %s: %s', async (a, b, path, status) => {
    const files = { 'A.json': await detect(a), 'B.json': await detect(b) };
    expect(await run(['pair', '--short', 'A.json', 'B.json'], { files })).toMatchObject({
      stdout: `${path}\n`,
      status,
    });
    const { stdout } = await run(['pair', '--json', 'A.json', '-'], { files, stdin: files['B.json'] });
    expect(JSON.parse(stdout)).toMatchObject({ schema: 'nat-tool/pair@1', data: { path } });
    expect((await run(['pair', 'A.json', 'B.json'], { files })).stdout).toContain('Path');
  });

  it.each([
    ['symmetric,ports=random,upnp', true],
    ['symmetric,ports=random,pcp,nat-pmp,upnp', true],
    ['symmetric,ports=random', false],
    ['symmetric,ports=random,pcp=refuse', false],
    ['cgnat,mapping=apd,ports=random,upnp=naive', false],
  ])('advises a port in the router of %s only where it was seen to open one', async (nat, opens) => {
    const path = await new Lab({ nat, patienceMs: 60_000 }).run(
      async (env) => (await run(['path', DEFAULT_SERVER.name, '--json'], { env })).stdout,
    );
    const [detected, other] = [await detect(nat), await detect('symmetric,ports=random')];
    const adviceIn = async (a: string): Promise<string[]> => {
      const files = { 'A.json': a, 'B.json': other };
      return JSON.parse((await run(['pair', '--json', 'A.json', 'B.json'], { files })).stdout).data.advice;
    };
    const advised = (all: readonly string[]): boolean => all.some((each) => /^A: .* by (PCP|UPnP): .*--map/.test(each));
    expect(advised(await adviceIn(`${detected}${path}`))).toBe(opens);
    expect(advised(await adviceIn(`${path}\r\n${detected}`.replaceAll('\n', '\r\n')))).toBe(opens);
    const unseen = await adviceIn(detected);
    expect(advised(unseen)).toBe(false);
    expect(unseen.join()).toContain('nat-tool path says');
  });

  it.each([
    ['not JSON', /is not JSON/],
    ['{}', /not a report of nat-tool detect/],
    ['{"schema":"nat-tool/detect@1","data":{"mapping":"odd"}}', /mapping is missing/],
  ])('refuses %s', async (text, message) => {
    const { status, stderr } = await run(['pair', 'A.json', 'A.json'], { files: { 'A.json': text } });
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});
