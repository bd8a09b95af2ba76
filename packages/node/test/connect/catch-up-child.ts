import { openMachine } from '../../../machine/src/index.ts'

/** A device in a process of its own, to be killed: `node catch-up-child.ts <folder> <API>` sends what its spool holds and ends. */
const [folder = '', httpUrl = ''] = process.argv.slice(2)
const machine = await openMachine({ folder, httpUrl, delivery: { window: 250 } })
await machine.flushed(120_000)
await machine.close()
