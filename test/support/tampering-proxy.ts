import { forEachFrame, replaceAll, startBrokerProxy, type BrokerProxy } from './broker-proxy.ts';

/**
 * Stands between a client and a broker and replaces a text in everything that the broker answers, checksums left as they were:
 * a broker stores no batch whose checksum is wrong, so damage has to come later.
 *
 * @param server `127.0.0.1:9092`, as the broker itself advertises it
 * @param text what to replace, by a text of the same length
 */
export function startTamperingProxy(server: string, text: string, by: string): Promise<BrokerProxy> {
  return startBrokerProxy(server, ({ client, broker, answer }) => {
    client.pipe(broker);
    forEachFrame(broker, (frame) => {
      replaceAll(frame, Buffer.from(text), Buffer.from(by));
      answer(frame);
    });
  });
}
