/** All that a simulated STUN server may do wrong, by name. */
import { ALTERNATE_FAULTS } from './faults/alternates.ts';
import type { FaultKind } from './faults/answer.ts';
import { CONTENT_FAULTS } from './faults/contents.ts';
import { FORMAT_FAULTS } from './faults/format.ts';
import { LIES } from './faults/lies.ts';
import { MANNER_FAULTS } from './faults/manners.ts';
import { REFERRAL_FAULTS } from './faults/referrals.ts';

const FAULTS = {
  ...ALTERNATE_FAULTS,
  ...CONTENT_FAULTS,
  ...LIES,
  ...FORMAT_FAULTS,
  ...REFERRAL_FAULTS,
  ...MANNER_FAULTS,
};

/** A fault of a server, by name. */
export type ServerFault = keyof typeof FAULTS;

/** What each does. */
export const SERVER_FAULT_KINDS: Readonly<Record<ServerFault, FaultKind>> = FAULTS;

/** By subject, for help: each fault with what the server does. */
const GROUPS: readonly (readonly [subject: string, faults: readonly ServerFault[]])[] = [
  ['Alternates and CHANGE-REQUEST', Object.keys(ALTERNATE_FAULTS) as ServerFault[]],
  ['Contents', Object.keys(CONTENT_FAULTS) as ServerFault[]],
  ['Lies', Object.keys(LIES) as ServerFault[]],
  ['Format', Object.keys(FORMAT_FAULTS) as ServerFault[]],
  ['Referrals', Object.keys(REFERRAL_FAULTS) as ServerFault[]],
  ['Manners', Object.keys(MANNER_FAULTS) as ServerFault[]],
];

/** The names of all faults. */
export const SERVER_FAULTS = Object.keys(FAULTS) as readonly ServerFault[];

/** A paragraph for each subject, for help. */
export const describeServerFaults = (): string[] =>
  GROUPS.map(
    ([subject, faults]) =>
      `${subject}: ${faults.map((fault) => `${fault} (${SERVER_FAULT_KINDS[fault].about})`).join(', ')}.`,
  );
