/** What a measurement has seen so far, as data that grows while it runs. */
import type { Endpoint } from '../../net/address.ts';
import type { NetError } from '../../net/env.ts';
import { classifyFiltering, type Filtering } from '../../nat/filtering.ts';
import { type FilteringOutcome, passage } from './filtering.ts';
import type { HairpinProbe } from './hairpin.ts';
import type { Probes, ProbeSocket } from './probes.ts';
import type { TcpControl } from './tcp-control.ts';

/** A server under test, and what became of the tests that need its second address. */
export interface ServerTest {
  readonly server: Endpoint;
  otherAddress: FilteringOutcome | undefined;
  otherPort: FilteringOutcome | undefined;
  /** Whether the server was seen to honour the change on an open path; undefined where that was not tried. */
  honoursAddress: boolean | undefined;
  honoursPort: boolean | undefined;
}

/**
 * `at-odds`: answers came another way than it says, or it fails the test of all that it says. `two-sided`: it names two, and does not take
 * the test. `denied`: it fails the test, but that there are several is so.
 */
export type Unproven = 'at-odds' | 'two-sided' | 'denied';

/** Everything that was seen; grows while the measurement runs. */
export interface BehaviourFacts {
  readonly probes: Probes;
  readonly servers: readonly Endpoint[];
  /** The mapping socket, once open. It alone sends to more than one endpoint. */
  x: ProbeSocket | undefined;
  readonly samples: ProbeSocket[];
  readonly tests: ServerTest[];
  /** A server's addresses that one mapping of the mapping socket reaches, as was seen; `proven` unless they say otherwise and nothing refutes them. */
  readonly joined: { readonly proven: boolean }[];
  /** A server whose several public sides of the mapping socket nothing proves. */
  unproven: { readonly server: string; readonly why: Unproven } | undefined;
  hairpin: HairpinProbe | undefined;
  tcp: TcpControl[];
  /** Nothing could be sent at all. */
  failure: { readonly server: Endpoint; readonly error: NetError } | undefined;
  stopped: 'interrupted' | 'out-of-time' | undefined;
}

/** What a server's two filtering tests say together. */
export const filteringOf = (test: ServerTest): Filtering =>
  classifyFiltering(
    passage(test.otherAddress ?? 'inconclusive', test.honoursAddress === true),
    passage(test.otherPort ?? 'inconclusive', test.honoursPort === true),
  );
