/** Numbers that wrap on the wire (RFC 1982), kept as ordinary ones that only grow. */

/** The number nearest to `near` whose lowest 32 bits are `wire`. */
export const unwrap32 = (wire: number, near: number): number => near + ((wire - near) | 0);

/** The same of 16 bits. */
export const unwrap16 = (wire: number, near: number): number => near + (((wire - near) << 16) >> 16);
