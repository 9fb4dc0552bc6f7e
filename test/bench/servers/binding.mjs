/** The smallest right answer to a Binding request: XOR-MAPPED-ADDRESS alone (RFC 8489 §14.2), IPv4. */
export function bindingSuccess(request, { address, port }) {
  const answer = Buffer.alloc(32);
  answer.writeUInt16BE(0x0101, 0);
  answer.writeUInt16BE(12, 2);
  request.copy(answer, 4, 4, 20);
  answer.writeUInt16BE(0x0020, 20);
  answer.writeUInt16BE(8, 22);
  answer.writeUInt16BE(1, 24);
  answer.writeUInt16BE(port ^ 0x2112, 26);
  const [a, b, c, d] = address.split('.').map(Number);
  answer.writeUInt32BE((((a << 24) | (b << 16) | (c << 8) | d) ^ 0x2112a442) >>> 0, 28);
  return answer;
}
