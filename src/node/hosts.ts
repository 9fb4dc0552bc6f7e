/** The hosts file of the system (hosts(5)). */
import { canonicalAddress } from '../net/address.ts';

export const hostsPath = (): string =>
  process.platform === 'win32'
    ? `${process.env['SystemRoot'] ?? 'C:\\Windows'}\\System32\\drivers\\etc\\hosts`
    : '/etc/hosts';

/** Addresses that a hosts file gives for a name, in its order; names compare without regard to case. Pure. */
export function addressesInHosts(text: string, name: string): string[] {
  const wanted = name.toLowerCase();
  const found: string[] = [];
  for (const line of text.split('\n')) {
    const [address, ...names] = (line.split('#')[0] ?? '').trim().toLowerCase().split(/\s+/);
    const canonical = address && names.includes(wanted) ? canonicalAddress(address) : undefined;
    if (canonical) found.push(canonical);
  }
  return found;
}
