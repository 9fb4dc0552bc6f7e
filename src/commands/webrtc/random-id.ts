import type { Random } from '../../net/env.ts';

/** 128 bits that nobody guesses, as 22 characters that stand in a link as they are (RFC 4648 §5). */
export const randomId = (random: Random): string => Buffer.from(random.bytes(16)).toString('base64url');
