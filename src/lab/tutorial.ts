/** The tutorial as a script for `lab`: a hole through one NAT by hand, its end, and a hole through two. */
export const TUTORIAL = `
## 1. The public address
# Host A is behind the NAT N; B is on the public internet. A asks how the world sees it.
A$ nat-tool public-ip --stun stun.example.net

## 2. Waiting for datagrams
# A listens on port 12001. That alone tells N nothing.
A$ nat-tool listen -p 12001 &

## 3. Too early
# B sends to A's public address. N holds no entry for that, and drops it.
B$ echo "too early" | nat-tool send -q -p 12003 $N 12001

## 4. The punch
# A sends a packet to B from the same port, beside the listener. N makes an entry, and STUN tells which public port it has.
A$ nat-tool punch -p 12001 --stun stun.example.net $B 12003

## 5. Through the hole
# B sends from port 12003 to that public side: now N lets it in, and the listener prints it.
B$ echo "udp hole" | nat-tool send -q -p 12003 $A_PUBLIC

## 6. Too late
# Nobody keeps the hole open, and N forgets the entry.
wait 300
B$ echo "too late" | nat-tool send -q -p 12003 $A_PUBLIC
stop A

## 7. Two NATs
# C2 is behind a NAT of its own, N2. Each asks for the public side of its port and tells it to the other, by mail or telephone.
A$ nat-tool public-ip -p 12001 --stun stun.example.net
C2$ nat-tool public-ip -p 12003 --stun stun.example.net

# Both punch at each other: the first packet may be dropped at the other NAT, but it opens its own. Then packets pass both ways.
A$ nat-tool punch -p 12001 --stun stun.example.net $C2_PUBLIC &
C2$ nat-tool punch -p 12003 --stun stun.example.net $A_PUBLIC
`;
