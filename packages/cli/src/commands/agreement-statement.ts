import { Command } from 'commander'
import { agreementIdOf } from '../agreement-id.ts'
import { contextOf } from '../context.ts'
import { writeDocument } from '../document-file.ts'
import { CliError } from '../failure.ts'

/** `liquefy agreement statement`: what is owed and paid, as a file. */
export function statementCommand(): Command {
  return new Command('statement')
    .description('what is owed and paid, as CSV or PDF')
    .argument('<agreement>', 'agreement id, or its beginning')
    .requiredOption('--out <file>', 'where to')
    .option('--csv', 'a table, times in UTC; unless told')
    .option('--pdf', 'for people')
    .option('--period <n>', 'of one period, instead of all')
    .option('--time-zone <name>', 'of times in a PDF, like Europe/Berlin', 'UTC')
    .action(
      async (
        given: string,
        options: { out: string; csv?: true; pdf?: true; period?: string; timeZone: string },
        command: Command,
      ) => {
        const context = contextOf(command)
        if (options.csv && options.pdf) {
          throw new CliError('FORMAT_AMBIGUOUS', 'Either --csv or --pdf: a file is one of them.')
        }
        const as = options.pdf ? 'pdf' : 'csv'
        const period = options.period === undefined ? undefined : periodOf(options.period)
        const agreementId = await agreementIdOf(context, given)
        const document = await context.node().statement(agreementId, {
          as,
          ...(period === undefined ? {} : { period }),
          ...(as === 'pdf' ? { timeZone: options.timeZone } : {}),
        })
        writeDocument(options.out, new Uint8Array(await document.arrayBuffer()))
        context.out.result(
          { agreementId, file: options.out, bytes: document.size },
          `Statement of ${agreementId} written to ${options.out}.`,
        )
      },
    )
}

function periodOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new CliError('PERIOD_INVALID', `--period ${text} is no number of a period, like 0.`)
}
