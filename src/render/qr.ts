/** A QR code for the terminal: two modules a character, light ones drawn, as most terminals are dark. Loaded only where one is asked for. */

/** Light modules around it; readers need some. */
const BORDER = 2;

/** Lines of equal length. Throws where the text is longer than a QR code holds, some 2,900 bytes. */
export async function qrLines(text: string): Promise<string[]> {
  const { encode } = await import('uqr');
  const { data } = encode(text, { ecc: 'L', border: BORDER });
  const lines: string[] = [];
  for (let y = 0; y < data.length; y += 2) {
    const [upper = [], lower = []] = [data[y], data[y + 1]];
    // What lies beyond the last row is dark, so that nothing is drawn there.
    lines.push(upper.map((dark, x) => BLOCKS[Number(!dark) + 2 * Number(!(lower[x] ?? true))]).join(''));
  }
  return lines;
}

/** By the upper module, and twice the lower one: light or not. */
const BLOCKS = [' ', '▀', '▄', '█'] as const;
