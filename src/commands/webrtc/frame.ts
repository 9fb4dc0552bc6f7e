/** A frame of the browser's camera, and how it looks in letters. Pure. */

/** What a frame holds; grey has one byte a cell, colour three. */
export interface Frame {
  readonly sequence: number;
  readonly width: number;
  readonly height: number;
  readonly colour: boolean;
  readonly cells: Uint8Array;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const MOST_SIZE: Size = { width: 400, height: 200 };
const HEAD = 8;
/** From dark to bright. */
const RAMP = ' .:-=+*#%@';

/** Undefined for what is none: of another length than its head says, or larger than anybody asked for. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < HEAD) return undefined;
  const head = new DataView(bytes.buffer, bytes.byteOffset, HEAD);
  const [width, height, kind] = [head.getUint16(4), head.getUint8(6), head.getUint8(7)];
  if (width < 1 || width > MOST_SIZE.width || height < 1 || height > MOST_SIZE.height || kind > 1) return undefined;
  const colour = kind === 1;
  if (bytes.length !== HEAD + width * height * (colour ? 3 : 1)) return undefined;
  return { sequence: head.getUint32(0), width, height, colour, cells: bytes.subarray(HEAD) };
}

/** How large a picture of 4:3 may be in a window: letters are about twice as high as wide. One line is left for the cursor. */
export function sizeIn({ columns, rows }: { readonly columns: number; readonly rows: number }): Size {
  const height = Math.max(2, Math.min(MOST_SIZE.height, rows - 1, Math.floor((columns * 3) / 8)));
  return { width: Math.max(2, Math.min(MOST_SIZE.width, columns, Math.round((height * 8) / 3))), height };
}

/** Lines of letters; what is darkest in the frame is a space and what is brightest the last letter. With colour each has its own, as SGR sequences of ours. */
export function linesOf({ width, height, colour, cells }: Frame): string[] {
  const grey = colour ? greyOf(cells) : cells;
  const [darkest, brightest] = range(grey);
  const scale = brightest > darkest ? (RAMP.length - 1) / (brightest - darkest) : 0;
  return Array.from({ length: height }, (_, y) => {
    let line = '';
    let last = -1;
    for (let at = y * width; at < (y + 1) * width; at++) {
      if (colour) {
        const [red = 0, green = 0, blue = 0] = cells.subarray(at * 3, at * 3 + 3);
        // Sixteen steps of each are enough for letters, and a third of the bytes.
        const shade = ((red & 0xf0) << 16) | ((green & 0xf0) << 8) | (blue & 0xf0);
        if (shade !== last) line += `\u001b[38;2;${red | 15};${green | 15};${blue | 15}m`;
        last = shade;
      }
      line += RAMP[Math.round(((grey[at] as number) - darkest) * scale)];
    }
    return colour ? `${line}\u001b[0m` : line;
  });
}

function greyOf(cells: Uint8Array): Uint8Array {
  const grey = new Uint8Array(cells.length / 3);
  for (let i = 0; i < grey.length; i++)
    grey[i] =
      (54 * (cells[3 * i] as number) + 183 * (cells[3 * i + 1] as number) + 19 * (cells[3 * i + 2] as number)) >> 8;
  return grey;
}

function range(grey: Uint8Array): readonly [darkest: number, brightest: number] {
  let [darkest, brightest] = [255, 0];
  for (const each of grey) {
    if (each < darkest) darkest = each;
    if (each > brightest) brightest = each;
  }
  return [darkest, brightest];
}
