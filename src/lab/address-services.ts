/** Services that tell who asks: name servers and web pages, as `public-ip` knows them from the internet. */
import { familyOf } from '../net/address.ts';
import { decodeQuery, encodeResponse } from '../net/dns/message.ts';
import { type Env, ignoreNetError } from '../net/env.ts';

/** A name server on port 53 that answers every A, AAAA and TXT question with the asker's address, or with `lie`. */
export async function startNameService(env: Env, address: string, lie?: string): Promise<void> {
  const socket = await env.udp.open({ family: familyOf(address), address, port: 53 });
  socket.listen({
    datagram: ({ data, from }) => {
      const query = decodeQuery(data);
      if (!query) return;
      socket.send(encodeResponse(query.id, query.question, [lie ?? from.address]), from).catch(ignoreNetError);
    },
  });
}

/** What most of them say: the address and a line end. */
export const ADDRESS_PAGE = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n$IP\n';

/** A web server that gives every request this response, `$IP` being the asker's address; without one it accepts and says nothing. */
export async function startWebService(env: Env, address: string, port: number, response?: string): Promise<void> {
  await env.tcp.listen({ address, port }, (stream) => {
    const answer = async (): Promise<void> => {
      for await (const chunk of stream) {
        if (response === undefined || chunk.length === 0) continue;
        await stream.write(new TextEncoder().encode(response.replace('$IP', stream.remote.address)));
        stream.close();
        return;
      }
    };
    // A client that goes away is no concern of the server's.
    answer().catch(ignoreNetError);
  });
}
