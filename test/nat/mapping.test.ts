import { describe, expect, it } from 'vitest';
import { parseEndpoint } from '../../src/net/host-port.ts';
import { classifyMapping, type Observation } from '../../src/nat/mapping.ts';

const endpoint = (text: string) => {
  const parsed = parseEndpoint(text);
  if (!parsed) throw new Error(text);
  return parsed;
};
const LOCAL = '192.168.1.3:42301';
const seen = (remote: string, mapped: string): Observation => ({
  local: endpoint(LOCAL),
  remote: endpoint(remote),
  mapped: endpoint(mapped),
});

describe('classifyMapping', () => {
  it.each<[string, Observation[], ReturnType<typeof classifyMapping>]>([
    ['no translation, one server being enough', [seen('1.1.1.1:1', LOCAL)], { mapping: 'none', dependent: false }],
    [
      'no translation for the first server, and one for the second',
      [seen('1.1.1.1:1', LOCAL), seen('2.2.2.2:1', '9.9.9.9:1')],
      { mapping: 'unknown', dependent: true },
    ],
    [
      'the last of three differs, on another port of the first address',
      [seen('1.1.1.1:1', '9.9.9.9:1'), seen('2.2.2.2:1', '9.9.9.9:1'), seen('1.1.1.1:2', '9.9.9.9:2')],
      { mapping: 'address-and-port-dependent', dependent: true },
    ],
    [
      'the same endpoint asked twice, with two answers: no two ports were compared',
      [seen('1.1.1.1:1', '9.9.9.9:1'), seen('1.1.1.1:1', '9.9.9.9:2')],
      { mapping: 'unknown', dependent: true },
    ],
    [
      'ports of one address agree, and those of another differ',
      [
        seen('1.1.1.1:1', '9.9.9.9:1'),
        seen('1.1.1.1:2', '9.9.9.9:1'),
        seen('2.2.2.2:1', '9.9.9.9:2'),
        seen('2.2.2.2:2', '9.9.9.9:3'),
      ],
      { mapping: 'address-and-port-dependent', dependent: true },
    ],
  ])('%s', (_, observations, expected) => {
    expect(classifyMapping(observations)).toEqual(expected);
  });
});
