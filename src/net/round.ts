/** Milliseconds to the microsecond: what lies beyond is the clock's noise. Pure. */
export const toMicroseconds = (ms: number): number => Math.round(ms * 1000) / 1000;
