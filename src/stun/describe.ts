/** Attributes as text, for people who look into messages. Pure. */
import { formatEndpoint } from '../net/address.ts';
import { type Attribute, attributeType } from './attributes.ts';

export interface DescribedAttribute {
  /** The registered name, or the type such as `0x8030`. */
  readonly name: string;
  readonly value: string;
}

export function describeAttribute(of: Attribute): DescribedAttribute {
  const name = of.name ?? `0x${attributeType(of).toString(16).padStart(4, '0')}`;
  if (of.name === 'FINGERPRINT') return { name, value: `0x${of.value.toString(16).padStart(8, '0')}` };
  if (of.name === 'ERROR-CODE') return { name, value: `${of.value.code} ${of.value.reason}`.trim() };
  if (of.name === 'UNKNOWN-ATTRIBUTES')
    return { name, value: of.value.map((type) => `0x${type.toString(16).padStart(4, '0')}`).join(', ') };
  return { name, value: describeValue(of.value) };
}

function describeValue(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(describeValue).join(', ');
  if (typeof value !== 'object' || value === null) return String(value);
  if ('address' in value && 'port' in value) return formatEndpoint(value as { address: string; port: number });
  return Object.entries(value)
    .map(([key, each]) => `${key} ${describeValue(each)}`)
    .join(', ');
}
