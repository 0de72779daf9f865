# A class, compiled as it starts from a source file that a template writes. Needs root, cgroups and a JDK.
# A jar is started with jar_path = "local/app.jar" instead of class, usually fetched by an artifact block.
#   nomad job run java.nomad
job "java" {
  datacenters = ["dc1"]
  type        = "batch"

  group "work" {
    task "greet" {
      driver = "java"

      config {
        class       = "/local/Greet.java"
        jvm_options = ["-Xmx64m"]
        args        = ["${NOMAD_JOB_NAME}"]
      }

      template {
        destination = "local/Greet.java"
        data        = <<EOF
public class Greet {
    public static void main(String[] args) {
        System.out.println("hello from " + args[0]);
    }
}
EOF
      }

      resources {
        cpu    = 200
        memory = 512
      }
    }
  }
}
