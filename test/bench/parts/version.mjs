// Start-up: `nat-tool --version` against an empty Node process.
import { bin, interleave, median, requireBuilt, round, timed } from '../measure.mjs';

export default async function version() {
  requireBuilt();
  const once =
    (...argv) =>
    async () =>
      (await timed([process.execPath, ...argv])).ms;
  const times = await interleave(
    { node: once('-e', '0'), version: once(bin, '--version'), help: once(bin, '--help') },
    20,
  );
  const [node, versionMs, help] = [median(times.node), median(times.version), median(times.help)];
  return {
    nodeMs: round(node, 1),
    versionMs: round(versionMs, 1),
    helpMs: round(help, 1),
    versionToNode: round(versionMs / node),
    helpToNode: round(help / node),
  };
}
