import type { Context } from './command.ts';

/** On standard error: what a telephone is to read. */
export async function showQr(text: string, { io }: Pick<Context, 'io'>): Promise<void> {
  const { qrLines } = await import('../render/qr.ts');
  await io.stderr.write(`${(await qrLines(text)).join('\n')}\n`);
}
