import { parser as createParser, generate, type IPublishPacket, type Packet } from 'mqtt-packet'
import type { Random } from './random.ts'
import type { Mangler } from './tcp-proxy.ts'

/** A message waits for this many others at most. */
const MOST_HELD = 4

/**
 * What a bad line under MQTT 3.1.1 does to messages of a device: some come twice, some after others that were sent later. The next packet that
 * is no message lets go all that is held, so that none is held for ever while the device lives.
 */
export function mangledMqtt(random: Random): Mangler {
  return () => {
    const parser = createParser({ protocolVersion: 4 })
    const held: Buffer[] = []
    let out: Buffer[] = []

    function onPublish(packet: IPublishPacket): void {
      const bytes = generate(packet, { protocolVersion: 4 })
      if (random.percent(30) && held.length < MOST_HELD) {
        held.unshift(bytes)
        return
      }
      out.push(bytes)
      if (random.percent(20)) out.push(generate({ ...packet, dup: true }, { protocolVersion: 4 }))
      if (random.percent(50)) out.push(...held.splice(0))
    }

    parser.on('packet', (packet: Packet) => {
      if (packet.cmd === 'publish') return onPublish(packet)
      out.push(generate(packet, { protocolVersion: 4 }), ...held.splice(0))
    })
    return (chunk) => {
      out = []
      parser.parse(chunk)
      return out
    }
  }
}
