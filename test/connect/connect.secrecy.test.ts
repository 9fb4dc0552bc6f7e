/** Who records everything, and learns the code afterwards. */
import { expect, it, vi } from 'vitest';
import { isEnvelope, Opener } from '../../src/connect/channel/envelope.ts';
import { KeyExchange } from '../../src/connect/channel/key-exchange.ts';
import { deriveSecret } from '../../src/connect/channel/keys.ts';
import { connect } from '../../src/connect/connect.ts';
import { type Description, decodeDescription } from '../../src/connect/signalling/description.ts';
import { createLab } from '../../src/lab/topology.ts';
import { sleep } from '../../src/net/wait.ts';
import { decodeRegister } from '../../src/rendezvous/protocol.ts';
import { tryDecode } from '../../src/stun/message.ts';

const CODE = 'k7qf2-m9x4t-03bsd-v8hwd';

it('a recorded session and its code tell where the two were, and nothing of what they said', async () => {
  const agreed: Uint8Array[] = [];
  const original = KeyExchange.prototype.agree;
  const spy = vi.spyOn(KeyExchange.prototype, 'agree').mockImplementation(function (this: KeyExchange, share) {
    const found = original.call(this, share);
    if (found) agreed.push(found);
    return found;
  });
  const lab = createLab({ second: { nat: 'port-restricted-cone' }, trace: true });
  const secret = deriveSecret(CODE);
  await lab.run(async (env, signal) => {
    const [server] = lab.servers;
    if (!server) throw new Error('no server');
    const options = { server, secret, waitMs: 10_000, signal };
    const sides = await Promise.all([connect(env, options), connect(lab.host('C2'), options)]);
    for (const side of sides) if (side.kind === 'connected') side.connection.send(Buffer.from('the plans'));
    await sleep(env.clock, 1_000);
    for (const side of sides) if (side.kind === 'connected') side.connection.close();
  });
  spy.mockRestore();

  const recorded = lab.trace.flatMap((event) =>
    event.kind === 'hop' && event.packet.payload.protocol === 'udp' ? [event.packet.payload.data] : [],
  );
  const members = new Map<string, { readonly member: Uint8Array; description: Description }>();
  for (const data of recorded) {
    const message = tryDecode(data);
    const register = message && decodeRegister(message);
    if (!register || register.bye) continue;
    const { member, payload } = register;
    const opened = new Opener(deriveSecret(CODE).descriptionKey(member)).open(payload);
    const description = opened && decodeDescription(opened.body);
    if (description) members.set(Buffer.from(member).toString('hex'), { member, description });
  }
  const [a, b] = [...members.values()];
  if (!a || !b) throw new Error('the descriptions should open with the code');
  expect(a.description.hosts.length).toBeGreaterThan(0);

  const said = (guess: Uint8Array): string[] =>
    [
      deriveSecret(CODE).dataKey(a.member, b.member, guess),
      deriveSecret(CODE).dataKey(b.member, a.member, guess),
    ].flatMap((key) =>
      recorded
        .filter(isEnvelope)
        .flatMap((data) => new Opener(key).open(data) ?? [])
        .map(({ body }) => Buffer.from(body).toString()),
    );
  const shares = [a.description.share, b.description.share].map((share) => share ?? new Uint8Array());
  for (const guess of [new Uint8Array(), new Uint8Array(32), ...shares]) expect(said(guess)).toEqual([]);
  // The attack itself works: with what only the two had.
  expect(said(agreed[0] as Uint8Array).filter((text) => text === 'the plans').length).toBeGreaterThan(1);
});
