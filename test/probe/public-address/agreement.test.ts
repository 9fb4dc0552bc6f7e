import { describe, expect, it } from 'vitest';
import {
  agree,
  headline,
  isSettled,
  restsOnPlain,
  type AddressAnswer,
} from '../../../src/probe/public-address/agreement.ts';

const [OURS, FALSE] = ['12.13.14.15', '66.66.66.66'];
const by = (method: AddressAnswer['method'], source: string, address: string): AddressAnswer => ({
  method,
  source,
  address,
});
const dns = (address: string, source = 'x@41.0.0.1') => by('dns', source, address);
const stun = (address: string, source = 'stun.example.net') => by('stun', source, address);
const web = (address: string, source = 'https://ip.example.net/') => by('https', source, address);
const http = (address: string) => web(address, 'http://ip.example.net/');

describe('the headline', () => {
  it.each([
    ['a hijacked name server first, STUN and HTTPS after it', [dns(FALSE), stun(OURS), web(OURS)]],
    ['a hijacked name server first, STUN alone after it', [dns(FALSE), stun(OURS)]],
    ['two hijacked name servers, STUN alone after them', [dns(FALSE), dns(FALSE, 'y@41.0.0.2'), stun(OURS)]],
    ['hijacked DNS and HTTP, HTTPS alone after them', [dns(FALSE), http(FALSE), web(OURS)]],
    ['a hijacked name server first, plain HTTP alone after it', [dns(FALSE), http(OURS)]],
    ['two hijacked name servers, plain HTTP alone after them', [dns(FALSE), dns(FALSE, 'y@41.0.0.2'), http(OURS)]],
    ['one STUN server of three that lies, first', [stun(FALSE, 'liar'), stun(OURS, 'a'), stun(OURS, 'b')]],
    ['STUN servers that differ, and a certificate for one', [stun(FALSE, 'liar'), web(OURS)]],
    ['a web proxy beside STUN and DNS that agree', [web(FALSE), stun(OURS), dns(OURS)]],
  ])('%s', (_, answers) => {
    expect(headline(answers, 4)?.address).toBe(OURS);
    expect(agree(answers)).toBe(false);
  });

  it('is the first to come where all agree, and of its family', () => {
    const answers = [web('2001:db8::1'), dns(OURS), stun(OURS)];
    expect(headline(answers, 4)).toBe(answers[1]);
    expect(headline(answers, 6)).toBe(answers[0]);
    expect(agree(answers)).toBe(true);
    expect(headline([], 4)).toBeUndefined();
  });
});

describe('what is enough', () => {
  it.each([
    ['a certificate', [web(OURS)], true],
    ['two STUN servers that agree', [stun(OURS, 'a'), stun(OURS, 'b')], true],
    ['DNS and STUN that agree', [dns(OURS), stun(OURS)], true],
    ['one STUN server', [stun(OURS)], false],
    ['one STUN server twice', [stun(OURS), stun(OURS)], false],
    ['DNS alone, however often', [dns(OURS), dns(OURS, 'y@41.0.0.2')], false],
    ['DNS and plain HTTP', [dns(OURS), http(OURS)], false],
    ['two that differ', [stun(OURS, 'a'), stun(FALSE, 'b')], false],
    ['nothing', [], false],
  ])('%s: %s', (_, answers, enough) => {
    expect(isSettled(answers, 4)).toBe(enough);
  });

  it('tells when nobody but plain DNS and HTTP names the address', () => {
    expect(restsOnPlain([dns(OURS), dns(OURS, 'y@41.0.0.2')], 4)).toBe(true);
    expect(restsOnPlain([dns(FALSE), stun(OURS)], 4)).toBe(false);
    expect(restsOnPlain([dns(OURS), http(OURS)], 4)).toBe(true);
    expect(restsOnPlain([http(OURS)], 4)).toBe(true);
    expect(restsOnPlain([http(OURS), web(OURS)], 4)).toBe(false);
    expect(restsOnPlain([], 4)).toBe(false);
  });
});
