/**
 * Remarks a report carries beside its data: why something is unknown, what a server got wrong, what the user should know.
 * One table: a kind is its parameters and its one text, so a kind without words does not compile.
 */
const TEXTS = {
  interrupted: (_: Record<never, never>) => 'Interrupted: this is what was learnt until then.',
} as const satisfies Record<string, (parameters: never) => string>;

export type FindingKind = keyof typeof TEXTS;
type Parameters<K extends FindingKind> = (typeof TEXTS)[K] extends (parameters: infer P) => string ? P : never;

export interface Finding {
  readonly kind: FindingKind;
  /** One or two plain sentences. */
  readonly text: string;
  /** The particulars that the text mentions, by name. */
  readonly [parameter: string]: unknown;
}

export function finding<K extends FindingKind>(kind: K, parameters: Parameters<K>): Finding {
  const text = (TEXTS[kind] as (parameters: Parameters<K>) => string)(parameters);
  return { kind, text, ...(parameters as object) };
}
