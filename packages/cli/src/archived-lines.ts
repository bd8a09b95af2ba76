import { openArchives } from '@liquefy/node/archive'
import { CliError } from './failure.ts'

/** What a line says of an envelope whose bytes the node has archived. */
interface ArchivedLine {
  type: 'archived'
  logIndex: string
  file: string
  proof: unknown
  metered: unknown
}

/**
 * The lines of a bundle with the bytes of archived envelopes put in from the files of a folder. Nothing of them is believed: the audit checks them as
 * those of the node.
 *
 * @throws CliError `ARCHIVED` if no folder was named and one is needed; LiquefyError `ARCHIVED` if the folder does not have it.
 */
export async function* withArchived(
  lines: AsyncIterable<string>,
  folder: string | undefined,
): AsyncGenerator<string> {
  const archives = folder === undefined ? undefined : openArchives(folder)
  for await (const line of lines) {
    if (!line.startsWith('{"type":"archived"')) {
      yield line
      continue
    }
    const { type: _, file, proof, metered, ...place } = JSON.parse(line) as ArchivedLine
    if (!archives) {
      throw new CliError(
        'ARCHIVED',
        `Envelope ${place.logIndex} was archived to ${file}: name the folder that has it with --archive <folder>.`,
      )
    }
    const bytes = await archives.bytesOf(file, BigInt(place.logIndex))
    const raw = Buffer.from(bytes).toString('base64')
    yield JSON.stringify({ type: 'envelope', ...place, raw, proof, metered })
  }
}
