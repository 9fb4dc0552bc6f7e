/** The option --cafile, which several commands take. */
import type { Context } from './command.ts';
import { UsageError } from './usage-error.ts';

/** All roots that systems ship are a few hundred kilobytes. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Certificates to trust, of `--cafile`. Throws UsageError. */
export async function readCertificates(path: string, context: Pick<Context, 'readFile'>): Promise<string> {
  const text = new TextDecoder().decode(await context.readFile(path, MOST_BYTES));
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new UsageError(
      `--cafile: there is no certificate in ${path}`,
      'PEM is expected: -----BEGIN CERTIFICATE-----.',
    );
  return text;
}
