import { createClient } from '@liquefy/client'

/** The node that served this page. */
export const node = createClient({ url: window.location.origin })
