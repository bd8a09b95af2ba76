import { readArchiveFiles } from '../store/archives.ts'
import type { Queryable } from '../store/database.ts'
import type { StoredEnvelope } from '../store/envelopes.ts'
import { archived, erased, type ProblemError } from './problem.ts'

/** What to answer where the bytes of a logged envelope are asked for that the node has no more: which file has them, or that they were erased. */
export async function bytesGone(
  db: Queryable,
  { logIndex, isErased }: Pick<StoredEnvelope, 'logIndex' | 'isErased'>,
): Promise<ProblemError> {
  if (isErased) return erased(String(logIndex))
  const file = (await readArchiveFiles(db, [logIndex])).get(logIndex)
  return archived(String(logIndex), file)
}
