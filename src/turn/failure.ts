/** Why there is no relay, as an error to match by its ending, and in words. */
import { type Endpoint, formatEndpoint } from '../net/address.ts';
import { errorWords } from '../net/error-words.ts';
import type { AllocationEnd } from './allocation-api.ts';

/** No relay came to be. A datum to report; match it by `ending`. */
export class TurnError extends Error {
  readonly ending: AllocationEnd;
  /** Who was asked last. */
  readonly server: Endpoint;
  /** Whether the server has said anything. */
  readonly heard: boolean;
  readonly software: string | undefined;
  constructor(ending: AllocationEnd, server: Endpoint, heard: boolean, software?: string) {
    super(`no relay at ${formatEndpoint(server)}: ${endingWords(ending)}`);
    this.name = 'TurnError';
    this.ending = ending;
    this.server = server;
    this.heard = heard;
    this.software = software;
  }
}

/** In a few words, without a full stop. */
export function endingWords(ending: AllocationEnd): string {
  switch (ending.why) {
    case 'released':
      return 'it was released';
    case 'silent':
      if (ending.code !== undefined) return `an answer without the seal of the login (error ${ending.code})`;
      return ending.other ? 'what comes from there is no answer' : 'no answer';
    case 'refused':
      return `error ${ending.code}${ending.reason && ` (${ending.reason})`}`;
    case 'mismatch':
      return 'the server holds another allocation for this port (error 437)';
    case 'redirected':
      return `it redirects to ${formatEndpoint(ending.to)}`;
    case 'useless':
      return ending.given
        ? `its relayed address is ${formatEndpoint(ending.given)}, which is of no use`
        : 'the answer has no relayed address';
    case 'lost':
      return ending.code === undefined
        ? 'the allocation ran out'
        : `the server has forgotten it (error ${ending.code})`;
    case 'broken':
      return errorWords(ending.error);
  }
}

export const closingWords = (ending: AllocationEnd): string => `the relay is gone: ${endingWords(ending)}`;
