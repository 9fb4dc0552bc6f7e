/** Which part of the remote endpoint a mapping or a filter goes by (RFC 4787 §4.1, §5). */
export type Dependence = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent';
