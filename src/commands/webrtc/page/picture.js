/** The path as a picture: browser, its NAT, the server in the middle, our NAT, the terminal. Wide, or tall on a narrow screen. */
import { drawn } from './element.js';

const [BOX_WIDTH, BOX_HEIGHT] = [168, 66];

/** `picture`: what the terminal tells of it. */
export function pictureOf(picture, narrow) {
  const places = placed(picture, narrow);
  const [width, height] = narrow ? [376, 560] : [960, 250];
  const drawing = drawn(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': wordsOf(picture), class: narrow ? 'tall' : 'wide' },
    ...wires(picture, places),
    ...Object.entries(places).flatMap(([name, at]) => box(picture[name], at)),
  );
  return drawing;
}

/** Centres. */
function placed(picture, narrow) {
  const chain = ['browser', 'browserNat', 'terminalNat', 'terminal'].filter((name) => picture[name]);
  const places = {};
  for (const [i, name] of chain.entries()) {
    const part = chain.length === 1 ? 0.5 : i / (chain.length - 1);
    places[name] = narrow ? { x: 100, y: 45 + part * 460 } : { x: 100 + part * 760, y: 185 };
  }
  if (picture.server) places.server = narrow ? { x: 278, y: 275 } : { x: 480, y: 45 };
  return places;
}

function box({ title, address, more }, { x, y }) {
  const lines = [address, more].filter(Boolean);
  const top = y - BOX_HEIGHT / 2;
  return [
    drawn('rect', { class: 'box', x: x - BOX_WIDTH / 2, y: top, width: BOX_WIDTH, height: BOX_HEIGHT, rx: 8 }),
    drawn('text', { x, y: top + (lines.length > 1 ? 20 : 26), 'text-anchor': 'middle' }, title),
    ...lines.map((line, i) =>
      drawn(
        'text',
        { class: 'small', x, y: top + (lines.length > 1 ? 38 : 46) + i * 17, 'text-anchor': 'middle' },
        short(line),
      ),
    ),
  ];
}

const short = (text) => (text.length > 22 ? `${text.slice(0, 21)}…` : text);

function wires(picture, places) {
  const chain = ['browser', 'browserNat', 'terminalNat', 'terminal'].filter((name) => places[name]);
  const drawnWires = [];
  const middle = Math.floor((chain.length - 2) / 2);
  for (let i = 0; i + 1 < chain.length; i++) {
    const direct = picture.path === 'direct' || (picture.path === null && i !== middle);
    const kind =
      picture.path === 'relay'
        ? i === middle
          ? 'quiet'
          : 'good'
        : picture.path === 'direct'
          ? 'good'
          : direct
            ? ''
            : 'bad';
    drawnWires.push(line(places[chain[i]], places[chain[i + 1]], kind));
    if (kind === 'bad') drawnWires.push(cross(places[chain[i]], places[chain[i + 1]]));
  }
  if (places.server) {
    const kind = picture.path === 'relay' ? 'good' : 'quiet';
    for (const name of [chain[middle], chain[middle + 1]])
      if (places[name]) drawnWires.push(line(places[name], places.server, kind));
  }
  return drawnWires;
}

const line = (from, to, kind) => drawn('path', { class: `wire ${kind}`, d: `M${from.x} ${from.y}L${to.x} ${to.y}` });

function cross(from, to) {
  const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
  return drawn('text', { class: 'mark', x, y: y + 5, 'text-anchor': 'middle' }, '✕');
}

/** The same in words, for those who do not see it. */
export function wordsOf(picture) {
  const chain = ['browser', 'browserNat', 'terminalNat', 'terminal']
    .map((name) => picture[name])
    .filter(Boolean)
    .map(({ title, address }) => (address ? `${title} ${address}` : title));
  const how =
    picture.path === 'direct'
      ? 'connected directly'
      : picture.path === 'relay'
        ? `connected by the relay ${picture.server?.address ?? ''}`
        : 'not connected';
  return `${chain.join(', ')}: ${how}.`;
}
