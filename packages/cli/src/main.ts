import { run } from './program.ts'

process.exitCode = await run(process.argv.slice(2))
// What a command opened it has closed; a keep-alive socket of a fetch must not hold the terminal.
if (process.stdout.writableLength === 0) process.exit()
else process.stdout.once('drain', () => process.exit())
