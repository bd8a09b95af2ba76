import { openMachine } from '@liquefy/machine'

const pump = await openMachine({ folder: process.argv[2] ?? './pump' })
pump.on('receipt', ({ stream, seq, code }) => console.log(`${stream} ${seq}: ${code}`))
pump.on('meter', ({ kind }) => console.log(`meter value ${kind}`))
for (const millilitres of [0n, 12_500n, 25_000n, 40_000n]) {
  await pump.sample('volume', { unit: 'l', value: { mantissa: millilitres, exponent: -3 } })
}
await pump.flushed()
await pump.meterNow()
await pump.close()
