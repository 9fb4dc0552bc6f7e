export * from '../stun/allocation.ts';
