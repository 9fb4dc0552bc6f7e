import { describe, expect, it } from 'vitest';
import { forwardingGrid } from '../../src/render/block.ts';
import { ForwardingTable } from '../../src/report/forwarding.ts';

const LOCAL = { address: '192.168.1.3', port: 12001 };
const PUBLIC = { address: '12.13.14.15', port: 24604 };
const [SERVER, PEER] = [
  { address: '40.30.20.10', port: 3478 },
  { address: '50.60.70.80', port: 12003 },
];

describe('a forwarding table', () => {
  it('tells what was assumed from what was seen, as data and to the eye', () => {
    const table = new ForwardingTable();
    table.add(LOCAL, PUBLIC, SERVER);
    table.add(LOCAL, PUBLIC, PEER, true);
    expect(table.rows().map(({ assumed }) => assumed)).toEqual([undefined, true]);
    expect(forwardingGrid(table.rows())).toMatchObject({
      columns: [{ title: 'Private side' }, { title: 'Public side' }, { title: 'Remote' }, { title: 'Known' }],
      rows: [expect.arrayContaining(['seen']), expect.arrayContaining([{ text: 'assumed', tone: 'warn' }])],
    });
  });

  it('holds each flow once, and what is seen takes the place of what was assumed, never the other way', () => {
    const table = new ForwardingTable();
    table.add(LOCAL, PUBLIC, PEER, true);
    table.add(LOCAL, PUBLIC, PEER);
    table.add(LOCAL, PUBLIC, PEER, true);
    expect(table.rows()).toEqual([
      { private: '192.168.1.3:12001', public: '12.13.14.15:24604', remote: '50.60.70.80:12003' },
    ]);
    expect(forwardingGrid(table.rows())).toMatchObject({ columns: { length: 3 } });
  });
});
