import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { acceptCertificate, fingerprintOf, newIdentity } from '../../src/dtls/certificate.ts';
import { DtlsError } from '../../src/dtls/error.ts';
import { seededRandom } from '../../src/lab/random.ts';

const NOW = new Date('2026-11-27T12:34:56Z');
const identity = newIdentity(seededRandom(1, 'identity'), NOW);
const kind = (act: () => unknown): unknown => {
  try {
    act();
    return 'nothing';
  } catch (error) {
    return error instanceof DtlsError ? error.kind : error;
  }
};

describe('newIdentity', () => {
  it('makes a certificate that others can read, and that its own key has signed', () => {
    const x509 = new X509Certificate(identity.certificate);
    expect(x509.verify(x509.publicKey)).toBe(true);
    expect(x509.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect([x509.subject, x509.issuer]).toEqual(['CN=WebRTC', 'CN=WebRTC']);
    expect([x509.validFrom, x509.validTo]).toEqual(['Oct 28 12:34:56 2026 GMT', 'Dec 27 12:34:56 2026 GMT']);
    expect(x509.fingerprint256).toBe(identity.fingerprint.value);
  });

  it('writes years from 2050 on in full', () => {
    const { certificate } = newIdentity(seededRandom(1, 'later'), new Date('2049-12-31T00:00:00Z'));
    expect(new X509Certificate(certificate).validTo).toBe('Jan 30 00:00:00 2050 GMT');
  });

  it('can be read whatever is drawn', () => {
    for (let seed = 0; seed < 60; seed++) {
      const { certificate } = newIdentity(seededRandom(seed, 'many'), NOW);
      const { serialNumber, publicKey } = new X509Certificate(certificate);
      expect(serialNumber).toMatch(/^[4-7][0-9A-F]{15}$/);
      expect(publicKey.asymmetricKeyType).toBe('ec');
    }
  });
});

describe('acceptCertificate', () => {
  const { certificate, fingerprint } = identity;

  it('takes the one that was announced, by any of its fingerprints', () => {
    const wrong = { ...fingerprint, value: fingerprint.value.replace(/^../, 'zz') };
    const long = fingerprintOf(certificate, 'sha-512');
    const data = Buffer.from('data');
    for (const expected of [[fingerprint], [wrong, long], 'any'] as const) {
      const peer = acceptCertificate(certificate, expected);
      expect(peer.verifies(data, identity.sign(data))).toBe(true);
      expect(peer.verifies(Buffer.from('other'), identity.sign(data))).toBe(false);
      expect(peer.verifies(data, Buffer.from('no signature'))).toBe(false);
    }
    expect(acceptCertificate(certificate, [{ ...fingerprint, value: fingerprint.value.toLowerCase() }])).toBeDefined();
  });

  it('looks at nothing in one that was not announced', () => {
    const other = newIdentity(seededRandom(2, 'identity'), NOW);
    for (const der of [other.certificate, Buffer.from('no certificate'), new Uint8Array()])
      expect(kind(() => acceptCertificate(der, [fingerprint]))).toBe('fingerprint');
    expect(kind(() => acceptCertificate(certificate, []))).toBe('fingerprint');
  });

  it('refuses what cannot be read', () => {
    for (const der of [Buffer.from('no certificate'), certificate.subarray(0, 100), new Uint8Array()])
      expect(kind(() => acceptCertificate(der, 'any'))).toBe('certificate');
  });

  it('refuses keys of another kind', () => {
    // Ours, with another curve's name in it: the point no longer lies on it.
    const hex = Buffer.from(certificate).toString('hex').replace('2a8648ce3d030107', '2a8648ce3d030106');
    expect(kind(() => acceptCertificate(Buffer.from(hex, 'hex'), 'any'))).toBe('certificate');
    const { publicKey } = generateKeyPairSync('ed25519');
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    expect(kind(() => acceptCertificate(withKey(certificate, spki), 'any'))).toBe('certificate');
  });
});

/** The same with another public key: nobody asks who signed it. */
function withKey(certificate: Uint8Array, spki: Uint8Array): Uint8Array {
  const bytes = Buffer.from(certificate);
  const at = bytes.indexOf(Buffer.from('3059301306072a8648ce3d0201', 'hex'));
  const grown = spki.length - 91;
  const changed = Buffer.concat([bytes.subarray(0, at), spki, bytes.subarray(at + 91)]);
  // Both sequences around it have lengths of their own.
  changed.writeUInt16BE(changed.readUInt16BE(2) + grown, 2);
  const inner = changed[5] as number;
  if (inner === 0x81) changed[6] = (changed[6] as number) + grown;
  else changed.writeUInt16BE(changed.readUInt16BE(6) + grown, 6);
  return changed;
}
