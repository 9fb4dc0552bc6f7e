import { describe, expect, it } from 'vitest';
import type { ServerFault } from '../../../src/lab/server-faults.ts';
import { get } from '../../../src/stun/message.ts';
import { type Answer, ask } from './ask.ts';

const faulty = (...faults: ServerFault[]) => ({ faults });
const errorOf = (answer: Answer | undefined) => answer?.message && get(answer.message, 'ERROR-CODE')?.code;

describe('an answer with the wrong contents', () => {
  it('error: everything gets it', async () => expect(errorOf((await ask(faulty('error'))).answers[0])).toBe(500));

  it('wrong-id', async () => {
    const { answers, id } = await ask(faulty('wrong-id'));
    expect(answers).toHaveLength(1);
    expect(answers[0]?.message?.transactionId).not.toEqual(id);
  });

  it('garbage', async () =>
    expect((await ask(faulty('garbage'))).answers.map(({ message }) => message)).toEqual([undefined]));

  it.each<[ServerFault, string[]]>([
    ['mapped-only', ['MAPPED-ADDRESS']],
    ['no-mapped-address', ['RESPONSE-ORIGIN', 'OTHER-ADDRESS']],
    ['unknown-attribute', ['XOR-MAPPED-ADDRESS', 'MAPPED-ADDRESS', 'RESPONSE-ORIGIN', 'OTHER-ADDRESS', 'unknown']],
  ])('%s: %j', async (fault, names) => {
    expect((await ask(faulty(fault))).answers[0]?.message?.attributes.map(({ name }) => name ?? 'unknown')).toEqual(
      names,
    );
  });
});
