import { describe, it } from 'vitest';
import { missing, type Tool } from './requirements.ts';

const required = process.env['NAT_TOOL_REQUIRE_KERNEL'] === '1';

/** A suite that runs where its needs are met, and else skips itself, saying what is missing; under NAT_TOOL_REQUIRE_KERNEL=1 it fails instead. */
export function describeKernel(name: string, tools: readonly Tool[], body: () => void): void {
  const lacks = missing(tools);
  if (lacks.length === 0) {
    describe(name, body);
    return;
  }
  const reason = `needs ${lacks.join(', ')}`;
  if (!required) {
    console.warn(`${name}: skipped, ${reason}`);
    describe.skip(`${name} (skipped: ${reason})`, body);
    return;
  }
  describe(name, () => {
    it(reason, () => {
      throw new Error(`this machine lacks: ${lacks.join(', ')}`);
    });
  });
}
