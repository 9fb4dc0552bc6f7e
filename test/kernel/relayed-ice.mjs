// Two ICE agents of werift, which may use their relays alone, in one process: prints what each hears of the other.
// Arguments: server address, port, transport, user name, password.
import { Connection } from 'werift-ice';

const [address, port, turnTransport, turnUsername, turnPassword] = process.argv.slice(2);
const options = {
  forceTurn: true,
  turnServer: [address, Number(port)],
  turnTransport,
  turnUsername,
  turnPassword,
  useIpv6: false,
};
const [one, two] = [new Connection(true, options), new Connection(false, options)];
await Promise.all([one.gatherCandidates(), two.gatherCandidates()]);
for (const [to, from] of [
  [one, two],
  [two, one],
]) {
  to.setRemoteParams({ iceLite: false, usernameFragment: from.localUsername, password: from.localPassword });
  for (const candidate of from.localCandidates) await to.addRemoteCandidate(candidate);
  await to.addRemoteCandidate(undefined);
}
console.log(
  JSON.stringify({ candidates: one.localCandidates.map(({ type, host, port: at }) => `${type} ${host}:${at}`) }),
);
const hear = (connection) => new Promise((resolve) => connection.onData.subscribe((data) => resolve(data.toString())));
const heard = Promise.all([hear(one), hear(two)]);
await Promise.all([one.connect(), two.connect()]);
const again = setInterval(() => {
  one.send(Buffer.from('from one')).catch(() => {});
  two.send(Buffer.from('from two')).catch(() => {});
}, 100);
console.log(JSON.stringify({ heard: await heard }));
clearInterval(again);
await Promise.all([one.close(), two.close()]);
process.exit(0);
