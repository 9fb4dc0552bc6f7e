import { describe, expect, it } from 'vitest';
import type { ServerFault } from '../../../src/lab/server-faults.ts';
import { formatEndpoint } from '../../../src/net/address.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { get } from '../../../src/stun/message.ts';
import { type Answer, ask } from './ask.ts';

const faulty = (...faults: ServerFault[]) => ({ faults });
const changeBoth = [attribute('CHANGE-REQUEST', { ip: true, port: true })];
const changePort = [attribute('CHANGE-REQUEST', { ip: false, port: true })];
const otherOf = (answer: Answer | undefined) => answer?.message && get(answer.message, 'OTHER-ADDRESS');
const errorOf = (answer: Answer | undefined) => answer?.message && get(answer.message, 'ERROR-CODE')?.code;

describe('a server that does RFC 5780 wrongly', () => {
  it.each<[ServerFault, string | undefined]>([
    ['no-other-address', undefined],
    ['other-address-missing', undefined],
    ['other-address-same-ip', '40.30.20.10:3479'],
    ['other-address-dead', '40.30.20.99:3479'],
    ['other-address-private', '10.0.0.11:3479'],
  ])('%s: OTHER-ADDRESS is %s', async (fault, expected) => {
    const other = otherOf((await ask(faulty(fault))).answers[0]);
    expect(other && formatEndpoint(other)).toBe(expected);
  });

  it.each<[ServerFault, string[], string[]]>([
    ['other-address-missing', ['40.30.20.11:3479'], ['40.30.20.10:3479']],
    ['other-address-same-ip', ['40.30.20.10:3479'], ['40.30.20.10:3479']],
    ['other-address-dead', [], ['40.30.20.10:3479']],
    ['other-address-private', [], ['40.30.20.10:3479']],
    ['change-ignored', ['40.30.20.10:3478'], ['40.30.20.10:3478']],
    ['change-port-only', ['40.30.20.10:3479'], ['40.30.20.10:3479']],
    ['change-dropped', [], []],
  ])('%s: changed answers come from %j and %j', async (fault, both, port) => {
    expect((await ask(faulty(fault), changeBoth)).answers.map(({ from }) => from)).toEqual(both);
    expect((await ask(faulty(fault), changePort)).answers.map(({ from }) => from)).toEqual(port);
    expect((await ask(faulty(fault))).answers.map(({ from }) => from)).toEqual(['40.30.20.10:3478']);
  });

  it.each<[ServerFault, number]>([
    ['no-other-address', 420],
    ['change-420', 420],
    ['change-400', 400],
  ])('%s: CHANGE-REQUEST gets %d', async (fault, code) => {
    const { answers } = await ask(faulty(fault), changeBoth);
    expect(answers.map((answer) => [answer.from, errorOf(answer)])).toEqual([['40.30.20.10:3478', code]]);
  });

  it('no-response-port: takes it and answers as always', async () => {
    const wish = [attribute('RESPONSE-PORT', 40_000)];
    expect((await ask({}, wish)).answers).toHaveLength(0);
    expect((await ask(faulty('no-response-port'), wish)).answers).toHaveLength(1);
  });
});
