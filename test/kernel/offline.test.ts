/** A machine without any network, its loopback interface down: as in a namespace of its own. */
import { expect, it } from 'vitest';
import { run } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin } from './tool.ts';

describeKernel('without a network', ['nat-tool', 'unshare'], () => {
  it.each([
    [['detect', '192.0.2.1'], 1, 'There is no route to 192.0.2.1:3478'],
    [['stun', '192.0.2.1'], 1, 'There is no route to 192.0.2.1:3478'],
    [['listen', '-p', '12001', '--stun', '192.0.2.1', '-w', '0.5'], 1, 'unknown: there is no route to 192.0.2.1'],
    [['punch', '-w', '1', '192.0.2.1', '5'], 1, 'there is no route to 192.0.2.1'],
    [['public-ip', '-w', '1'], 1, 'This machine has no network address but loopback'],
  ])('%j says so', async (words, status, text) => {
    const { code, stdout, stderr } = await run(undefined, ['unshare', '-n', 'node', bin, ...words]);
    const said = `${stdout}${stderr}`.replace(/\s+/g, ' ');
    expect(said).toContain(text);
    expect(said).not.toMatch(/connect E[A-Z]+|internal error/);
    expect(code).toBe(status);
  });
});
