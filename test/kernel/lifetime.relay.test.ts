/** As `lifetime.test.ts`, with a relay of coturn in the place of our server; a file of its own, so that both wait side by side. */
import { afterAll, beforeAll, it } from 'vitest';
import { checkBounds } from './bounds.ts';
import { type Coturn, startCoturn } from './coturn.ts';
import { Internet } from './internet.ts';
import { describeKernel } from './suite.ts';
import { report } from './tool.ts';

describeKernel('lifetime through a relay', ['nat-tool', 'turnserver'], () => {
  let internet: Internet;
  let coturn: Coturn;

  beforeAll(async () => {
    internet = await Internet.create();
    coturn = await startCoturn(await internet.host('t', ['40.30.20.10', '40.30.20.11']));
  });
  afterAll(async () => {
    await coturn?.stop();
    internet?.close();
  });

  it('coturn, 12 and 30 s', async () => {
    const { client } = await internet.site('r', { kind: 'port-restricted-cone', timeout: { udp: 12, stream: 30 } });
    const { report: found } = await report(client, ['lifetime', `turn:${coturn.endpoint}`]);
    checkBounds('coturn', found.data, 12, 30);
  });
});
