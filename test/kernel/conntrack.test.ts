import { describe, expect, it } from 'vitest';
import { parseConntrack, translations } from './conntrack.ts';

const one = (line: string) => {
  const [flow, ...rest] = parseConntrack(`${line}\n`);
  if (!flow || rest.length > 0) throw new Error('expected one flow');
  return flow;
};

describe('the kernel’s table', () => {
  it('begun inside: answers go to the public side', () => {
    const flow = one(
      'ipv4     2 udp      17 29 src=192.168.1.3 dst=40.30.20.10 sport=42301 dport=3478 [UNREPLIED] src=40.30.20.10 dst=12.13.14.15 sport=3478 dport=24604 mark=0 use=1',
    );
    expect(flow).toMatchObject({ expires: 29, unreplied: true, assured: false });
    expect(translations(flow)).toEqual([
      { private: '192.168.1.3:42301', public: '12.13.14.15:24604', remote: '40.30.20.10:3478' },
    ]);
  });

  it('begun outside: answers come from the private side', () => {
    const flow = one(
      'ipv4     2 udp      17 119 src=40.30.20.11 dst=12.13.14.15 sport=3479 dport=42301 src=192.168.1.3 dst=40.30.20.11 sport=42301 dport=3479 [ASSURED] mark=0 use=1',
    );
    expect(flow).toMatchObject({ unreplied: false, assured: true });
    expect(translations(flow)).toEqual([
      { private: '192.168.1.3:42301', public: '12.13.14.15:42301', remote: '40.30.20.11:3479' },
    ]);
  });

  it('a hairpin is two rows, an untranslated flow none', () => {
    const hairpin = one(
      'ipv4     2 udp      17 9 src=192.168.1.3 dst=12.13.14.15 sport=5000 dport=6000 src=192.168.1.3 dst=12.13.14.15 sport=6000 dport=5000 mark=0 use=1',
    );
    expect(translations(hairpin)).toEqual([
      { private: '192.168.1.3:5000', public: '12.13.14.15:5000', remote: '12.13.14.15:6000' },
      { private: '192.168.1.3:6000', public: '12.13.14.15:6000', remote: '12.13.14.15:5000' },
    ]);
    const plain = one(
      'ipv6     10 udp      17 9 src=2001:db8::1 dst=2001:db8::2 sport=1 dport=2 src=2001:db8::2 dst=2001:db8::1 sport=2 dport=1 use=1',
    );
    expect(plain.original).toEqual({ from: '[2001:db8::1]:1', to: '[2001:db8::2]:2' });
    expect(translations(plain)).toEqual([]);
  });

  it('what is no flow is said to be none', () => {
    expect(() => parseConntrack('conntrack v1.4.7: nonsense')).toThrow(/not a UDP flow/);
    expect(parseConntrack('\n')).toEqual([]);
  });
});
