/** The parts that faults are made of: what a bad server does to the answers of a right one. Pure. */
import type { Endpoint } from '../../net/address.ts';
import { type Attribute, type AttributeName, attribute } from '../../stun/attributes.ts';
import { decode, encode, get, looksLikeStun, type MessageClass } from '../../stun/message.ts';
import type { Endpoints } from '../../stun/roles.ts';
import type { Role, ServerAnswer } from '../../stun/server.ts';

/** A datagram, or a message over TCP, that reached the server. */
export interface StunRequest {
  readonly role: Role;
  readonly from: Endpoint;
  readonly data: Uint8Array;
  readonly now: number;
}

/** `delayMs`: how long the server waits before it sends it; `ttl`: IP time to live, the usual one when absent. */
export type StunAnswer = ServerAnswer & { readonly delayMs?: number; readonly ttl?: number };

/** What becomes of the answers to one request. */
export type AnswerFault = (answers: StunAnswer[], request: StunRequest) => StunAnswer[];

export interface FaultKind {
  /** For help: what the server does. */
  readonly about: string;
  /** What the server makes of a request before it answers it. */
  readonly hears?: (data: Uint8Array) => Uint8Array;
  /** A fresh fault for a server that listens there: some count. */
  readonly make: (endpoints: Endpoints) => AnswerFault;
  /** Its answers over TCP suffer from it too. */
  readonly overTcp?: true;
}

export const chain =
  (...faults: readonly AnswerFault[]): AnswerFault =>
  (answers, request) =>
    faults.reduce((left, fault) => fault(left, request), answers);

export const none: AnswerFault = (answers) => answers;

export interface Change {
  readonly ip: boolean;
  readonly port: boolean;
}

/** The CHANGE-REQUEST of a request, also one that asks for nothing. */
export const changeOf = ({ data }: StunRequest): Change | undefined =>
  looksLikeStun(data) ? get(decode(data), 'CHANGE-REQUEST') : undefined;

/** For requests with a CHANGE-REQUEST that asks for something. */
export const onChange =
  (fault: (answers: StunAnswer[], request: StunRequest, change: Change) => StunAnswer[]): AnswerFault =>
  (answers, request) => {
    const change = changeOf(request);
    return change && (change.ip || change.port) ? fault(answers, request, change) : answers;
  };

/** Other bytes in each answer. */
export const eachDatagram =
  (change: (data: Uint8Array, request: StunRequest) => Uint8Array): AnswerFault =>
  (answers, request) =>
    answers.map((each) => ({ ...each, data: change(each.data, request) }));

/** Other attributes in each answer. */
export const eachAnswer = (
  rewrite: (attributes: readonly Attribute[], request: StunRequest) => readonly Attribute[],
): AnswerFault => eachDatagram((data, request) => rewritten(data, (attributes) => rewrite(attributes, request)));

/** An error in the place of each answer, from where it was asked. */
export const refuse = (
  answers: StunAnswer[],
  request: StunRequest,
  code: number,
  reason: string,
  more: readonly Attribute[] = [],
): StunAnswer[] =>
  answers.map((each) => ({
    data: rewritten(each.data, () => [attribute('ERROR-CODE', { code, reason }), ...more], 'error'),
    to: request.from,
    viaRole: request.role,
  }));

/** The request without these attributes. */
export const without = (data: Uint8Array, name: AttributeName): Uint8Array =>
  looksLikeStun(data) && get(decode(data), name) !== undefined
    ? rewritten(data, (attributes) => attributes.filter((each) => each.name !== name))
    : data;

function rewritten(
  data: Uint8Array,
  rewrite: (attributes: readonly Attribute[]) => readonly Attribute[],
  as?: MessageClass,
): Uint8Array {
  const message = decode(data);
  const sealed = message.attributes.some(({ name }) => name === 'FINGERPRINT');
  const attributes = rewrite(message.attributes.filter(({ name }) => name !== 'FINGERPRINT'));
  return encode(
    { class: as ?? message.class, method: message.method, transactionId: message.transactionId, attributes },
    { fingerprint: sealed },
  );
}
