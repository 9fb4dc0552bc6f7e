import { describe, expect, it } from 'vitest';
import { run } from '../cli/harness.ts';

describe('a literal address of the wrong family', () => {
  it.each([
    [['stun', '-6', '127.0.0.1'], 'server: 127.0.0.1 is not an IPv6 address, as -6 demands'],
    [['stun', '-6', '[::1]:3478', '127.0.0.1:3478'], 'server: 127.0.0.1 is not an IPv6 address, as -6 demands'],
    [['detect', '-6', '127.0.0.1'], 'server: 127.0.0.1 is not an IPv6 address, as -6 demands'],
    [['punch', '-4', '::1', '9'], 'remote: ::1 is not an IPv4 address, as -4 demands'],
    [['punch', '-4', '--stun', '::1', '127.0.0.1', '9'], '--stun: ::1 is not an IPv4 address, as -4 demands'],
    [['send', '-4', '--data', 'x', '::1', '9'], 'remote: ::1 is not an IPv4 address, as -4 demands'],
    [['listen', '-4', '--punch', '[::1]:9'], '--punch: ::1 is not an IPv4 address, as -4 demands'],
    [['listen', '-6', '--stun', '127.0.0.1'], '--stun: 127.0.0.1 is not an IPv6 address, as -6 demands'],
    [['public-ip', '-6', '--stun', '127.0.0.1'], '--stun: 127.0.0.1 is not an IPv6 address, as -6 demands'],
    [['stun', '-s', '::1', '127.0.0.1'], 'server: 127.0.0.1 is not an IPv6 address, as --source demands'],
  ])('is misuse: %j', async (words, message) => {
    const { status, stdout, stderr } = await run(words);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  it('is not what a name is taken for', async () => {
    const { status } = await run(['stun', '-6', 'stun.example.net']);
    expect(status).toBe(1);
  });
});
