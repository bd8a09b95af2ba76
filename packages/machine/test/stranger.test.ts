import { expect, test } from 'vitest'
import { createKey, type MeterEvent, openMachine } from '../src/index.ts'
import { scratchFolder } from './folder.ts'
import { ledger, silo, siloTerms, simulatedLine, tinyNode } from './tiny-node.ts'

const START_MS = Date.UTC(2026, 0, 5)

test('ATK agreements of strangers, which meter nothing, take no place in a machine', async () => {
  const folder = scratchFolder()
  const key = createKey(folder)
  const clock = { nowMs: () => START_MS + 1_000 }
  const node = tinyNode({ key: key.publicKey, clock, mqttId: 7n })
  const line = simulatedLine(node)
  const machine = await openMachine({
    folder,
    machineId: 7n,
    ...ledger,
    clock,
    transport: line.open,
  })
  const events: MeterEvent[] = []
  machine.on('meter', (event) => events.push(event))
  line.up()
  // Without meters anybody may open one that names this machine: the ledger asks for no owner then.
  for (let salt = 0; salt < 256; salt += 1) {
    const terms = { ...siloTerms(7n, START_MS), meters: [], limits: [] }
    line.send(
      node.openAgreement({ ...terms, salt: `0x${salt.toString(16).padStart(64, '0')}` }, []),
    )
  }
  expect(new Set(events.map((event) => 'code' in event && event.code))).toEqual(
    new Set(['NOT_MINE']),
  )
  line.send(node.openAgreement(siloTerms(7n, START_MS), [silo]))
  expect(events.at(-1)).toMatchObject({ kind: 'agreement' })
  expect(machine.agreements()).toHaveLength(1)
  await machine.close()
})
