locals {
  list   = [1, 2.5, -3, true, null, "t"]
  nested = { a = { b = [[1], [2, 3]] } }
  sum    = 1 + 2 * 3 % 4 / (5 - 6)
  logic  = !true && false || 1 <= 2
  splat  = [{ n = 1 }, { n = 2 }][*].n
  old    = [{ n = 1 }].*.n
  index  = local.nested.a.b[1][0]
  group  = { for i, x in local.list : (i % 2 == 0 ? "even" : "odd") => i... }
  text   = "a ${~ "b" ~} c $${d} %%{e} \n \u00e9"
  tried  = try(local.nested.c, can(1 / 0), "x")
}

job "language" {
  meta {
    all = jsonencode([for k, v in local.nested : "${k}=${jsonencode(v)}" if k != "z"])
    fmt = format("%5d|%-5s|%q|%v", 42, "a", "b", [1])
    fun = join(",", concat(split(",", "a,b"), ["c"], sort(["z", "y"])))
    if  = "%{ if local.logic }yes%{ else }no%{ endif }"
  }
}
