import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEndpoint } from '../../src/net/host-port.ts';
import { isExpected } from '../../src/nat/meaning.ts';
import { classifyFiltering } from '../../src/nat/filtering.ts';
import { classifyMapping, type Observation } from '../../src/nat/mapping.ts';
import { natType } from '../../src/nat/type.ts';

const endpoint = (text: string) => {
  const parsed = parseEndpoint(text);
  if (!parsed) throw new Error(text);
  return parsed;
};
const seen = (remote: string, mapped: string): Observation => ({
  local: endpoint('192.168.1.3:42301'),
  remote: endpoint(remote),
  mapped: endpoint(mapped),
});

describe('classifyMapping', () => {
  const cases: [name: string, observations: Observation[], mapping: string, dependent: boolean][] = [
    ['nothing heard', [], 'unknown', false],
    ['one server only', [seen('1.1.1.1:3478', '9.9.9.9:1000')], 'unknown', false],
    [
      'two ports of one address agree: says nothing about another address',
      [seen('1.1.1.1:3478', '9.9.9.9:1000'), seen('1.1.1.1:3479', '9.9.9.9:1000')],
      'unknown',
      false,
    ],
    [
      'two addresses agree',
      [seen('1.1.1.1:3478', '9.9.9.9:1000'), seen('2.2.2.2:3479', '9.9.9.9:1000')],
      'endpoint-independent',
      false,
    ],
    [
      'two addresses differ, one port each',
      [seen('1.1.1.1:3478', '9.9.9.9:1000'), seen('2.2.2.2:3478', '9.9.9.9:1001')],
      'unknown',
      true,
    ],
    [
      'addresses differ, ports agree',
      [
        seen('1.1.1.1:3478', '9.9.9.9:1000'),
        seen('1.1.1.1:3479', '9.9.9.9:1000'),
        seen('2.2.2.2:3478', '9.9.9.9:1001'),
      ],
      'address-dependent',
      true,
    ],
    [
      'ports differ',
      [seen('1.1.1.1:3478', '9.9.9.9:1000'), seen('1.1.1.1:3479', '9.9.9.9:1002')],
      'address-and-port-dependent',
      true,
    ],
    [
      'same port, other public address: a NAT that pools per flow',
      [seen('1.1.1.1:3478', '9.9.9.9:1000'), seen('1.1.1.1:3479', '9.9.9.8:1000')],
      'address-and-port-dependent',
      true,
    ],
    ['no translation', [seen('1.1.1.1:3478', '192.168.1.3:42301')], 'none', false],
    [
      'same port but another address is a NAT',
      [seen('1.1.1.1:3478', '9.9.9.9:42301'), seen('2.2.2.2:3478', '9.9.9.9:42301')],
      'endpoint-independent',
      false,
    ],
  ];
  for (const [name, observations, mapping, dependent] of cases) {
    it(name, () => expect(classifyMapping(observations)).toEqual({ mapping, dependent }));
  }

  it('does not depend on the order of the observations', () => {
    const observation = fc.record({
      remote: fc.tuple(fc.constantFrom('1.1.1.1', '2.2.2.2'), fc.constantFrom(1, 2)),
      port: fc.constantFrom(1000, 1001),
    });
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 5 }), (list) => {
        const observations = list.map(({ remote, port }) => seen(`${remote[0]}:${remote[1]}`, `9.9.9.9:${port}`));
        expect(classifyMapping([...observations].reverse())).toEqual(classifyMapping(observations));
      }),
    );
  });
});

describe('classifyFiltering and natType', () => {
  it('says a filter only where a test was answered or its silence proven', () => {
    expect(classifyFiltering('passed', 'unknown')).toBe('endpoint-independent');
    expect(classifyFiltering('dropped', 'passed')).toBe('address-dependent');
    expect(classifyFiltering('unknown', 'passed')).toBe('unknown');
    expect(classifyFiltering('dropped', 'unknown')).toBe('unknown');
    expect(classifyFiltering('dropped', 'dropped')).toBe('address-and-port-dependent');
    expect(classifyFiltering('unknown', 'dropped')).toBe('address-and-port-dependent');
  });

  it('follows RFC 3489 for the type', () => {
    const independent = { mapping: 'endpoint-independent', dependent: false } as const;
    const none = { mapping: 'none', dependent: false } as const;
    expect(natType(independent, 'endpoint-independent')).toBe('full-cone');
    expect(natType(independent, 'address-dependent')).toBe('restricted-cone');
    expect(natType(independent, 'address-and-port-dependent')).toBe('port-restricted-cone');
    expect(natType(none, 'endpoint-independent')).toBe('open-internet');
    expect(natType(none, 'address-dependent')).toBe('udp-firewall');
    expect(natType({ mapping: 'address-dependent', dependent: true }, 'endpoint-independent')).toBe('symmetric');
    expect(natType({ mapping: 'unknown', dependent: true }, 'unknown')).toBe('symmetric');
    expect(natType(independent, 'unknown')).toBe('unknown');
    expect(natType({ mapping: 'unknown', dependent: false }, 'endpoint-independent')).toBe('unknown');
  });
});

describe('isExpected', () => {
  it('takes a proven mapping for cone and p2p where the filtering is unknown', () => {
    expect(isExpected({ type: 'unknown', mapping: 'endpoint-independent' }, ['cone'])).toBe(true);
    expect(isExpected({ type: 'unknown', mapping: 'endpoint-independent' }, ['p2p'])).toBe(true);
    expect(isExpected({ type: 'unknown', mapping: 'endpoint-independent' }, ['full-cone'])).toBe(false);
    expect(isExpected({ type: 'unknown', mapping: 'none' }, ['p2p'])).toBe(true);
    expect(isExpected({ type: 'unknown', mapping: 'unknown' }, ['cone', 'p2p'])).toBe(false);
    expect(isExpected({ type: 'symmetric', mapping: 'address-dependent' }, ['p2p'])).toBe(false);
    expect(isExpected({ type: 'restricted-cone', mapping: 'endpoint-independent' }, ['cone'])).toBe(true);
  });
});
