import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeFrame, linesOf, sizeIn } from '../../../src/commands/webrtc/frame.ts';

function encoded(width: number, height: number, cells: readonly number[], colour = false, sequence = 7): Uint8Array {
  const bytes = new Uint8Array(8 + cells.length);
  const head = new DataView(bytes.buffer);
  head.setUint32(0, sequence);
  head.setUint16(4, width);
  head.setUint8(6, height);
  head.setUint8(7, colour ? 1 : 0);
  bytes.set(cells, 8);
  return bytes;
}

describe('a frame of the camera', () => {
  it('is stretched between its darkest and its brightest', () => {
    const frame = decodeFrame(encoded(4, 2, [100, 110, 190, 200, 200, 100, 100, 150]));
    expect(frame && linesOf(frame)).toEqual([' .%@', '@  +']);
  });

  it('of one shade is empty', () => {
    const frame = decodeFrame(encoded(3, 1, [9, 9, 9]));
    expect(frame && linesOf(frame)).toEqual(['   ']);
  });

  it('has the colour of each cell, said once for a run', () => {
    const frame = decodeFrame(encoded(3, 1, [255, 0, 0, 255, 0, 0, 0, 0, 255], true));
    expect(frame && linesOf(frame)).toEqual(['\u001b[38;2;255;15;15m@@\u001b[38;2;15;15;255m \u001b[0m']);
  });

  it.each([
    ['nothing', new Uint8Array()],
    ['a head alone', encoded(80, 30, [])],
    ['a cell too few', encoded(2, 2, [1, 2, 3])],
    ['a cell too many', encoded(2, 2, [1, 2, 3, 4, 5])],
    ['no width', encoded(0, 2, [])],
    ['grey that says it is colour', encoded(2, 2, [1, 2, 3, 4], true)],
    ['what is larger than any window', encoded(401, 1, new Array(401).fill(1))],
  ])('is none: %s', (_, bytes) => {
    expect(decodeFrame(bytes)).toBeUndefined();
  });

  it('never becomes anything but our own letters, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        (cells, width, colour) => {
          const height = Math.floor(cells.length / (width * (colour ? 3 : 1)));
          const frame = decodeFrame(
            encoded(width, height, [...cells.subarray(0, width * height * (colour ? 3 : 1))], colour),
          );
          if (!frame) return;
          for (const line of linesOf(frame))
            expect(line).toMatch(/^(?:[ .:=+*#%@-]|\u001b\[38;2;\d{1,3};\d{1,3};\d{1,3}m|\u001b\[0m)*$/);
        },
      ),
    );
  });

  it.each([
    [
      { columns: 80, rows: 31 },
      { width: 80, height: 30 },
    ],
    [
      { columns: 200, rows: 31 },
      { width: 80, height: 30 },
    ],
    [
      { columns: 40, rows: 60 },
      { width: 40, height: 15 },
    ],
    [
      { columns: 2000, rows: 2000 },
      { width: 400, height: 200 },
    ],
    [
      { columns: 1, rows: 1 },
      { width: 2, height: 2 },
    ],
  ])('fits the window %j', (window, size) => {
    expect(sizeIn(window)).toEqual(size);
  });
});
