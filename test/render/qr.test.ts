import { encode } from 'uqr';
import { describe, expect, it } from 'vitest';
import { qrLines } from '../../src/render/qr.ts';

describe('a QR code in the terminal', () => {
  it('shows every module, two a character, light ones drawn', async () => {
    const text = `nt3.${'A'.repeat(156)}`;
    const lines = await qrLines(text);
    const { data } = encode(text, { ecc: 'L', border: 2 });
    const drawn = lines.flatMap((line) => [
      [...line].map((block) => block === ' ' || block === '▄'),
      [...line].map((block) => block === ' ' || block === '▀'),
    ]);
    expect(drawn.slice(0, data.length)).toEqual(data);
  });

  it('fits a terminal of 80 columns and 30 rows for the longest short token', async () => {
    const lines = await qrLines(`nt3.${'A'.repeat(156)}`);
    expect(new Set(lines.map((line) => [...line].length)).size).toBe(1);
    expect([[...(lines[0] as string)].length <= 80, lines.length <= 30]).toEqual([true, true]);
  });
});
