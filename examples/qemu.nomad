# A virtual machine without a system: its boot sector, made by a task before it, says hello on the serial line.
# Needs root and qemu-system-x86_64. The machine ends itself with code 33, which the job takes for a failure.
#   nomad job run qemu.nomad
#   nomad alloc logs -task machine <allocation>
job "qemu" {
  datacenters = ["dc1"]
  type        = "batch"

  group "work" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    reschedule {
      attempts  = 0
      unlimited = false
    }

    task "image" {
      driver = "raw_exec"

      lifecycle {
        hook = "prestart"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "(printf \"$CODE\"; printf 'hello from the guest'; head -c 510 /dev/zero) | head -c 510 > $NOMAD_ALLOC_DIR/tiny.img; printf '\\125\\252' >> $NOMAD_ALLOC_DIR/tiny.img"]
      }

      env {
        CODE = "\\374\\061\\300\\216\\330\\276\\034\\174\\272\\370\\003\\254\\204\\300\\164\\003\\356\\353\\370\\272\\364\\000\\260\\020\\356\\364\\353\\375"
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }

    task "machine" {
      driver = "qemu"

      config {
        image_path  = "${NOMAD_ALLOC_DIR}/tiny.img"
        accelerator = "tcg"
        args        = ["-snapshot", "-net", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
      }

      resources {
        cpu    = 200
        memory = 128
      }
    }
  }
}
