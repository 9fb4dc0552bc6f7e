/** The tutorial as a script for `lab`: a hole through one NAT by hand, its end, and a hole through two. */
export const TUTORIAL = `
## 1. The public address
# A is behind the NAT N, B on the public internet. A asks how the world sees it.
A$ nat-tool public-ip --short --stun stun.example.net

## 2. Too early: A listens and B sends, but N holds no entry for that
A$ nat-tool listen -q -p 12001 &
B$ echo "too early" | nat-tool send -q -p 12003 $N 12001

## 3. The punch
# A sends to B from the same port: N makes an entry. STUN tells its public side.
A$ nat-tool punch --short -p 12001 --stun stun.example.net $B 12003

## 4. Through the hole: B sends to that public side, and N lets it in
B$ echo "udp hole" | nat-tool send -q -p 12003 $A_PUBLIC

## 5. Too late: nobody keeps the hole open, and N forgets it
wait 300
B$ echo "too late" | nat-tool send -q -p 12003 $A_PUBLIC
stop A

## 6. Two NATs
# C2 is behind a NAT too. Each learns its public side and tells the other. Then both punch: N2 drops the first packet, which has opened the way back.
A$ nat-tool stun --short -p 12001 stun.example.net
C2$ nat-tool stun --short -p 12003 stun.example.net
A$ nat-tool punch -q --short -p 12001 --stun stun.example.net $C2_PUBLIC &
C2$ nat-tool punch -q -p 12003 --stun stun.example.net $A_PUBLIC
`;
