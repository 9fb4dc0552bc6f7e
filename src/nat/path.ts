/** The kinds of path between two hosts, in the order in which two sides number them. */
export const PATH_KINDS = ['lan', 'direct', 'predicted', 'birthday', 'relay', 'mapped'] as const;

/** `direct`: no port had to be guessed; `predicted` and `birthday` say how one was; `mapped`: a router opened one by PCP, NAT-PMP or UPnP. */
export type PathKind = (typeof PATH_KINDS)[number];
